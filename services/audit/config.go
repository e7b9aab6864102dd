package audit

// Config is the service's own settings: none so far. The type stands so that the process can configure every service
// the same way.
type Config struct{}
