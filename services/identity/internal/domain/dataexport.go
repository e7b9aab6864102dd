package domain

import (
	"time"

	"github.com/braidhq/braid/platform/id"
)

const (
	// DataExportLifetime is how long an archive waits to be fetched.
	DataExportLifetime = 24 * time.Hour
	// DataExportPatience is after how long an export that still runs is given up, however that came about.
	DataExportPatience = 6 * time.Hour
	// MaxDataExports is how many a person may ask for within DataExportPeriod.
	MaxDataExports   = 3
	DataExportPeriod = 24 * time.Hour
	// MaxDataExportBytes bounds an archive.
	MaxDataExportBytes = 512 << 20
)

// DataExportState says how far an export is.
type DataExportState string

// The states.
const (
	DataExportRunning    DataExportState = "running"
	DataExportReady      DataExportState = "ready"
	DataExportDownloaded DataExportState = "downloaded"
	DataExportFailed     DataExportState = "failed"
)

// DataExport is a collection of what there is of a person.
type DataExport struct {
	ID            id.ID
	UserID        id.ID
	State         DataExportState
	CreatedAt     time.Time
	FinishedAt    *time.Time
	ExpiresAt     time.Time
	SizeBytes     int64
	FailureReason string
}
