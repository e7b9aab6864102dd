package avatar_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"runtime"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/services/identity/internal/avatar"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// paint returns a picture that is red in its left half and blue in its right one.
func paint(width, height int, alpha uint8) *image.NRGBA {
	painted := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			pixel := color.NRGBA{R: 255, A: alpha}
			if x >= width/2 {
				pixel = color.NRGBA{B: 255, A: alpha}
			}
			painted.SetNRGBA(x, y, pixel)
		}
	}
	return painted
}

func encodePNG(t *testing.T, picture image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, picture))
	return out.Bytes()
}

// chunk is a part of a PNG file.
func chunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	named := append([]byte(kind), data...)
	return binary.BigEndian.AppendUint32(append(out, named...), crc32.ChecksumIEEE(named))
}

// claim is a PNG file that says it has a size and holds no pixel.
func claim(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	header = append(header, 8, 6, 0, 0, 0)
	return append([]byte("\x89PNG\r\n\x1a\n"), append(chunk("IHDR", header), chunk("IDAT", nil)...)...)
}

func TestPicturesBecomeSquares(t *testing.T) {
	t.Parallel()
	encoder := avatar.New(prometheus.NewRegistry())
	var asJPEG, asGIF bytes.Buffer
	require.NoError(t, jpeg.Encode(&asJPEG, paint(900, 300, 255), nil))
	first, second := image.NewPaletted(image.Rect(0, 0, 40, 40), palette.Plan9), image.NewPaletted(image.Rect(0, 0, 40, 40), palette.Plan9)
	for i := range first.Pix {
		first.Set(i%40, i/40, map[bool]color.Color{true: color.RGBA{R: 255, A: 255}, false: color.RGBA{B: 255, A: 255}}[i%40 < 20])
	}
	require.NoError(t, gif.EncodeAll(&asGIF, &gif.GIF{Image: []*image.Paletted{first, second}, Delay: []int{1, 1}}))
	for name, file := range map[string][]byte{
		"png": encodePNG(t, paint(300, 900, 255)), "tiny png": encodePNG(t, paint(2, 2, 255)), "jpeg": asJPEG.Bytes(), "gif": asGIF.Bytes(),
	} {
		contentType, picture, err := encoder.Encode(t.Context(), file)
		require.NoError(t, err, name)
		require.Equal(t, "image/jpeg", contentType, name)
		decoded, format, err := image.Decode(bytes.NewReader(picture))
		require.NoError(t, err, name)
		require.Equal(t, "jpeg", format)
		require.Equal(t, image.Rect(0, 0, 256, 256), decoded.Bounds(), name)
		left, _, _, _ := decoded.At(10, 128).RGBA()
		_, _, right, _ := decoded.At(245, 128).RGBA()
		require.Greater(t, left, uint32(0xe000), name)
		require.Greater(t, right, uint32(0xe000), name)
	}
	contentType, picture, err := encoder.Encode(t.Context(), encodePNG(t, paint(300, 300, 100)))
	require.NoError(t, err)
	require.Equal(t, "image/png", contentType, "what is behind it shows")
	_, err = png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
}

func TestWebPIsRead(t *testing.T) {
	t.Parallel()
	// One lossless white pixel.
	file, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	require.NoError(t, err)
	contentType, _, err := avatar.New(prometheus.NewRegistry()).Encode(t.Context(), file)
	require.NoError(t, err)
	require.NotEmpty(t, contentType)
}

func TestNothingButPixelsIsKept(t *testing.T) {
	t.Parallel()
	whole := encodePNG(t, paint(300, 300, 255))
	secret := []byte("Comment\x00taken at 38.7223, -9.1393")
	// After the header, which is 33 bytes long.
	file := append(append(append([]byte{}, whole[:33]...), chunk("tEXt", secret)...), whole[33:]...)
	_, picture, err := avatar.New(prometheus.NewRegistry()).Encode(t.Context(), append(file, "<script>alert(1)</script>"...))
	require.NoError(t, err)
	require.NotContains(t, string(picture), "taken at")
	require.NotContains(t, string(picture), "script")
}

// An image bomb: a hundred bytes that ask for ten gigabytes.
func TestImageBombsCostNothing(t *testing.T) {
	// Not in parallel: it counts what is allocated.
	encoder := avatar.New(prometheus.NewRegistry())
	for name, file := range map[string][]byte{
		"50,000 by 50,000": claim(50_000, 50_000), "one row too many": claim(1, 2049), "as large as can be": claim(1<<31-1, 1),
		"too many bytes": make([]byte, 512<<10+1),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := encoder.Encode(t.Context(), file)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, domain.ErrAvatarTooLarge, name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), name)
	}
}

func TestWhatIsNoPictureIsRefused(t *testing.T) {
	t.Parallel()
	encoder := avatar.New(prometheus.NewRegistry())
	whole := encodePNG(t, paint(300, 300, 255))
	for name, file := range map[string][]byte{
		"nothing": nil, "text": []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "half": whole[:len(whole)/2],
		"no pixels": claim(100, 100), "no size": claim(0, 0),
	} {
		_, _, err := encoder.Encode(t.Context(), file)
		require.ErrorIs(t, err, domain.ErrAvatarInvalid, name)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := encoder.Encode(gone, whole)
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
}

func FuzzEncode(f *testing.F) {
	f.Add(claim(10, 10))
	encoder := avatar.New(prometheus.NewRegistry())
	f.Fuzz(func(t *testing.T, file []byte) {
		_, picture, err := encoder.Encode(t.Context(), file)
		if err == nil && len(picture) == 0 {
			t.Fatal("an empty picture")
		}
	})
}
