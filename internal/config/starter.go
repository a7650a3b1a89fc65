package config

import (
	"embed"
	"fmt"
)

//go:embed starter
var starters embed.FS

// Starter returns a commented configuration to begin with, for `labnet init`. It loads as it is. The only mode is "routed".
func Starter(mode string) ([]byte, error) {
	if mode != "routed" {
		return nil, fmt.Errorf("there is no mode %q; use: routed", mode)
	}
	return starters.ReadFile("starter/" + mode + ".hcl")
}
