package hooks

import (
	"net/url"
	"slices"
	"time"
)

// Config is one hook. It has a Command or a URL.
type Config struct {
	Name     string   // unique
	Events   []string // which it is told of
	Networks []string // of which networks; none: all
	// Timeout bounds a run of the command, or one attempt to reach the URL.
	Timeout time.Duration

	Command []string // the program by its absolute path, and its arguments
	User    string   // that the program runs as; "": this process's own

	URL        string // http or https
	SecretFile string // key of the signature; "": the body isn't signed
	TokenFile  string // bearer token; "": none is sent
}

// wants reports whether the hook is told of such an event.
func (c *Config) wants(event, network string) bool {
	return slices.Contains(c.Events, event) && (len(c.Networks) == 0 || slices.Contains(c.Networks, network))
}

// target is what the hook tells, for people. Of a URL it is the server alone: many services have a secret in the path.
func (c *Config) target() string {
	if len(c.Command) > 0 {
		return c.Command[0]
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
