package workflow

import "time"

// Config is the service's own settings; those of its database and of the broker are the process's.
type Config struct {
	// ChangeRetention is how long a client may be away and still get exactly what it missed.
	ChangeRetention time.Duration `config:"change_retention" default:"24h" help:"How long changes of projects are kept for clients that come back."`
	WatchHeartbeat  time.Duration `config:"watch_heartbeat" default:"15s" help:"Silence after which a stream sends a heartbeat."`
	// MaxStreams and MaxStreamsPerUser bound what open streams can take.
	MaxStreams        int `config:"max_streams" default:"5000" help:"Open streams at most, in one process."`
	MaxStreamsPerUser int `config:"max_streams_per_user" default:"1000" help:"Open streams of one user at most, in one process."`
}

// Validate implements config.Validator.
func (c *Config) Validate(report func(key, reason string)) {
	if c.ChangeRetention < time.Minute {
		report("change_retention", "must be at least 1m")
	}
	if c.WatchHeartbeat < time.Second || c.WatchHeartbeat > time.Minute {
		report("watch_heartbeat", "must be from 1s to 1m")
	}
	if c.MaxStreams < 1 {
		report("max_streams", "must be at least 1")
	}
	if c.MaxStreamsPerUser < 1 {
		report("max_streams_per_user", "must be at least 1")
	}
}
