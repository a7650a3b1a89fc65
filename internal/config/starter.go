package config

import (
	"embed"
	"fmt"
)

//go:embed starter
var starters embed.FS

// Starter returns a commented configuration to begin with, for `labnet init`. It loads as it is. The modes are "routed" and "bridged".
func Starter(mode string) ([]byte, error) {
	if mode != "routed" && mode != "bridged" {
		return nil, fmt.Errorf("there is no mode %q; use: routed, bridged", mode)
	}
	return starters.ReadFile("starter/" + mode + ".hcl")
}
