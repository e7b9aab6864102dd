package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/store"
)

const (
	// cleanupInterval also bounds how long a sealed answer outlives its retry window.
	cleanupInterval = 15 * time.Second
	cleanupBatch    = 1000
	cleanupTimeout  = 30 * time.Second
)

// Cleanup removes what time has ended: registrations, refresh tokens, sessions, and the sealed answers of refreshes.
// Nothing depends on the rows being gone, they just must not pile up.
type Cleanup struct {
	app     *App
	removed *prometheus.CounterVec
}

// NewCleanup returns the cleanup of an App.
func NewCleanup(app *App, registerer prometheus.Registerer) *Cleanup {
	removed := promauto.With(registerer).NewCounterVec(prometheus.CounterOpts{
		Name: "braid_identity_expired_rows_total", Help: "Rows removed, or answers wiped, because their time was over.",
	}, []string{"kind"})
	return &Cleanup{app: app, removed: removed}
}

// Run cleans up until ctx ends. A failed round is left to the next one.
func (c *Cleanup) Run(ctx context.Context) error {
	ticker := time.NewTicker(cleanupInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := c.Once(ctx); err != nil && ctx.Err() == nil {
				c.app.Logger.WarnContext(ctx, "expired rows not removed, tried again later", slog.String("cause", err.Error()))
			}
		}
	}
}

// Once does one bounded round.
func (c *Cleanup) Once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cleanupTimeout)
	defer cancel()
	var purged store.Purged
	err := c.app.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) (err error) {
		purged, err = store.Purge(ctx, tx, c.app.Clock.Now(), cleanupBatch)
		return err
	})
	if err != nil {
		return err
	}
	for kind, count := range map[string]int64{
		"registration": purged.Registrations, "session": purged.Sessions,
		"refresh_token": purged.RefreshTokens, "answer": purged.Answers,
		"challenge": purged.Challenges, "unconfirmed_factor": purged.UnconfirmedFactors,
		"password_reset": purged.PasswordResets, "email_change": purged.EmailChanges, "device": purged.Devices, "budget": purged.Budgets,
		"machine_credential": purged.MachineCredentials,
		"used_assertion":     purged.UsedAssertions, "revoked_token": purged.RevokedTokens,
		"archive_chunk": purged.ArchiveChunks, "data_export": purged.DataExports,
	} {
		c.removed.WithLabelValues(kind).Add(float64(count))
	}
	return c.app.failOverdueExports(ctx)
}
