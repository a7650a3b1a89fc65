package config

// Load reads a file or a directory of *.hcl. The diagnostics are every error and warning, sorted by position; with an error
// among them the Config is nil.
func Load(path string) (*Config, *Diagnostics) { panic("stub") }

// Diagnostics is what was found wrong, with the sources to show it in.
type Diagnostics struct{}
