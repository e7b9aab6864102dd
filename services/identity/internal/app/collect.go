package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/job"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/archive"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// Exports is what collecting people's data needs.
type Exports struct {
	Jobs interface {
		Enqueue(ctx context.Context, tx *pg.Tx, args job.Args, options ...job.Option) error
	}
	// Services are all that there are, in the order that the archive has them.
	Services []*person.Client
}

// CollectTimeout bounds one try to collect somebody's data.
const CollectTimeout = 20 * time.Minute

// collectAttempts is how often it is tried: with the pauses between, for about half an hour.
const collectAttempts = 11

var collectOptions = []job.Option{job.WithMaxAttempts(collectAttempts)}

// CollectData is the job that collects what there is of a person.
type CollectData struct {
	ExportID id.ID `json:"export_id"`
}

// Kind implements job.Args.
func (CollectData) Kind() string { return "collect_data" }

// unansweredError is that a service could not be asked.
type unansweredError struct {
	service string
	error
}

// Unwrap returns the cause.
func (e unansweredError) Unwrap() error { return e.error }

var errArchiveTooLong = fmt.Errorf("the archive is longer than %d bytes", domain.MaxDataExportBytes)

// CollectData asks every service for what it holds of the export's person and keeps the archive for the link. Each try
// begins anew, and one that another has overtaken changes nothing any more.
func (a *App) CollectData(ctx context.Context, args CollectData) error {
	err := a.collect(ctx, args.ExportID)
	tooLong := errors.Is(err, errArchiveTooLong)
	switch {
	case errors.Is(err, errs.ErrNotFound):
		// It was deleted, or given up, or somebody else has finished it.
		return nil
	case err == nil, !tooLong && !job.From(ctx).Last:
		return err
	}
	// The try may have ended because its time was over.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if failure := a.failDataExport(ending, args.ExportID, reasonOf(err)); failure != nil {
		return errors.Join(err, failure)
	}
	return job.Permanent(err)
}

// reasonOf says in words for the person why nothing came of it.
func reasonOf(err error) string {
	var unanswered unansweredError
	switch {
	case errors.As(err, &unanswered):
		return "The service " + unanswered.service + " did not answer."
	case errors.Is(err, errArchiveTooLong):
		return "There is more than an archive can hold; ask the operator."
	default:
		return "The archive could not be kept."
	}
}

func (a *App) collect(ctx context.Context, exportID id.ID) error {
	sink := &chunks{ctx: ctx, app: a}
	var createdAt time.Time
	err := a.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) (err error) {
		sink.archive, createdAt, err = store.BeginArchive(ctx, tx, exportID, id.New())
		return err
	})
	if err != nil {
		return err
	}
	writer := archive.New(sink, archive.About{Deployment: a.PublicURL, Time: a.Clock.Now()})
	for _, service := range a.Exports.Services {
		if err := askService(ctx, service, sink.archive.UserID, writer); err != nil {
			return err
		}
	}
	if err := errors.Join(writer.Close(), sink.flush()); err != nil {
		return err
	}
	now := a.Clock.Now()
	err = a.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		if err := store.FinishArchive(ctx, tx, sink.archive, now, now.Add(domain.DataExportLifetime)); err != nil {
			return err
		}
		return a.dataExportReady(ctx, tx, sink.archive.UserID, exportID)
	})
	if err == nil {
		a.Logger.InfoContext(ctx, "a person's data was collected", slog.String("data_export_id", exportID.String()),
			slog.Int64("bytes", sink.archive.SizeBytes), slog.Duration("waited", now.Sub(createdAt)))
	}
	return err
}

func askService(ctx context.Context, service *person.Client, userID id.ID, writer *archive.Writer) error {
	sections, err := service.Sections(ctx)
	if err != nil {
		return unansweredError{service.Service, err}
	}
	for _, section := range sections {
		if err := writer.Section(section.GetName(), section.GetTitle()); err != nil {
			return err
		}
		var writing error
		err := service.Each(ctx, section.GetName(), userID, func(item string) error {
			writing = writer.Item(item)
			return writing
		})
		switch {
		case writing != nil:
			return writing
		case err != nil:
			return unansweredError{service.Service, err}
		}
	}
	return nil
}

// failDataExport ends an export that could not be collected; nothing happens when it does not run any more.
func (a *App) failDataExport(ctx context.Context, exportID id.ID, reason string) error {
	now := a.Clock.Now()
	return a.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		userID, err := store.FailDataExport(ctx, tx, exportID, reason, now, now.Add(domain.DataExportLifetime))
		if errors.Is(err, errs.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return a.dataExportFailed(ctx, tx, userID, exportID, reason)
	})
}

// failOverdueExports gives up what has run for too long: its last try died with its process.
func (a *App) failOverdueExports(ctx context.Context) error {
	overdue, err := store.OverdueDataExports(ctx, a.DB.WorkerRead(), a.Clock.Now(), cleanupBatch)
	if err != nil {
		return err
	}
	for _, exportID := range overdue {
		if err := a.failDataExport(ctx, exportID, "It took too long."); err != nil {
			return err
		}
	}
	return nil
}

// chunkBytes is how long a piece is before it is sealed, which makes it a little longer; the table takes 64 KiB.
const chunkBytes = 63 << 10

// chunks keeps what is written to it, piece by piece.
type chunks struct {
	// ctx is the try's: an io.Writer is given none.
	ctx     context.Context
	app     *App
	archive store.Archive
	buffer  []byte
	number  int32
}

var _ io.Writer = (*chunks)(nil)

// Write implements io.Writer.
func (c *chunks) Write(text []byte) (int, error) {
	written := 0
	for len(text) > 0 {
		fits := min(chunkBytes-len(c.buffer), len(text))
		c.buffer = append(c.buffer, text[:fits]...)
		text, written = text[fits:], written+fits
		if len(c.buffer) < chunkBytes {
			break
		}
		if err := c.flush(); err != nil {
			return written, err
		}
	}
	return written, nil
}

// flush keeps what is left.
func (c *chunks) flush() error {
	if len(c.buffer) == 0 {
		return nil
	}
	if c.archive.SizeBytes += int64(len(c.buffer)); c.archive.SizeBytes > domain.MaxDataExportBytes {
		return errArchiveTooLong
	}
	sealed, err := c.app.Keys.Seal(c.buffer, placeOf(c.archive, c.number))
	if err != nil {
		return err
	}
	err = c.app.DB.InWorkerTx(c.ctx, func(ctx context.Context, tx *pg.Tx) error {
		return store.PutArchiveChunk(ctx, tx, c.archive, c.number, sealed)
	})
	c.buffer, c.number = c.buffer[:0], c.number+1
	return err
}

// placeOf binds a sealed piece to where it belongs.
func placeOf(archive store.Archive, number int32) []byte {
	place := append([]byte("data-export"), archive.ExportID[:]...)
	place = append(place, archive.BuildID[:]...)
	return binary.BigEndian.AppendUint32(place, uint32(number))
}
