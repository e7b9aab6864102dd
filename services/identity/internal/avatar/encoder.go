// Package avatar makes pictures of people out of files that strangers send: what a file claims is checked before its
// pixels are decoded, and only pixels leave it, encoded anew. It stores nothing.
package avatar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"sync/atomic"
	"time"

	_ "image/gif" // a GIF's first frame is decoded

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // WebP is decoded

	"github.com/braidhq/braid/services/identity/internal/domain"
)

const (
	// maxBytes and maxSide bound what is decoded: at most some 60 MB for a moment, with slots pictures at a time.
	maxBytes = 512 << 10
	maxSide  = 2048
	slots    = 2
	// maxWaiting is how many more may wait for their turn.
	maxWaiting = 16
	// side is that of the square that is kept.
	side        = 256
	jpegQuality = 85
)

// Encoder turns files into pictures, a bounded number at a time. It is safe for use by several goroutines.
type Encoder struct {
	slots   chan struct{}
	waiting atomic.Int64
	refused prometheus.Counter
}

// New returns an encoder.
func New(registerer prometheus.Registerer) *Encoder {
	factory := promauto.With(registerer)
	encoder := &Encoder{
		slots: make(chan struct{}, slots),
		refused: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_identity_avatar_refused_total", Help: "Pictures refused because too many others waited to be encoded.",
		}),
	}
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "braid_identity_avatar_waiting_requests", Help: "Requests that wait for their turn to have a picture encoded.",
	}, func() float64 { return float64(encoder.waiting.Load()) })
	return encoder
}

// Encode returns the middle square of a file's picture. A file that claims too much is refused before it costs anything.
func (e *Encoder) Encode(ctx context.Context, file []byte) (contentType string, picture []byte, err error) {
	if len(file) > maxBytes {
		return "", nil, domain.ErrAvatarTooLarge
	}
	claimed, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return "", nil, domain.ErrAvatarInvalid.WithCause(err)
	}
	if claimed.Width > maxSide || claimed.Height > maxSide {
		return "", nil, domain.ErrAvatarTooLarge
	}
	if claimed.Width < 1 || claimed.Height < 1 {
		return "", nil, domain.ErrAvatarInvalid
	}
	if err := e.enter(ctx); err != nil {
		return "", nil, err
	}
	defer func() { <-e.slots }()
	decoded, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return "", nil, domain.ErrAvatarInvalid.WithCause(err)
	}
	return encode(decoded)
}

func (e *Encoder) enter(ctx context.Context) error {
	if e.waiting.Add(1) > maxWaiting+slots {
		e.waiting.Add(-1)
		e.refused.Inc()
		return domain.ErrOverloaded.WithRetryAfter(time.Second)
	}
	defer e.waiting.Add(-1)
	select {
	case e.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func encode(decoded image.Image) (string, []byte, error) {
	bounds := decoded.Bounds()
	length := min(bounds.Dx(), bounds.Dy())
	if length < 1 {
		return "", nil, domain.ErrAvatarInvalid.WithCause(errors.New("the picture is empty"))
	}
	corner := bounds.Min.Add(image.Pt((bounds.Dx()-length)/2, (bounds.Dy()-length)/2))
	scaled := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.CatmullRom.Scale(scaled, scaled.Bounds(), decoded, image.Rectangle{corner, corner.Add(image.Pt(length, length))}, draw.Src, nil)
	var out bytes.Buffer
	// What shows what is behind it needs PNG; for all else JPEG is a tenth of the size.
	contentType, err := "image/jpeg", error(nil)
	if scaled.Opaque() {
		err = jpeg.Encode(&out, scaled, &jpeg.Options{Quality: jpegQuality})
	} else {
		contentType, err = "image/png", png.Encode(&out, scaled)
	}
	if err != nil {
		return "", nil, fmt.Errorf("encode picture: %w", err)
	}
	return contentType, out.Bytes(), nil
}
