//go:build !man

package main

import "github.com/spf13/cobra"

// builderVerbs are none in a binary that people use; see man.go.
func builderVerbs() []*cobra.Command { return nil }
