//go:build man

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// builderVerbs are for whoever builds a package: they don't belong into the binary.
func builderVerbs() []*cobra.Command { return []*cobra.Command{newMan()} }

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIRECTORY REFERENCE",
		Short:   "Write the manual: a page for each verb, and one for the configuration, of the file docs/config.md",
		Example: "  go run -tags man ./cmd/labnet man dist/man docs/config.md",
		Hidden:  true,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			// The time is SOURCE_DATE_EPOCH's, where it is set: the same source makes the same pages.
			header := &doc.GenManHeader{Section: "8", Source: "labnet " + buildVersion(), Manual: "labnet"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return err
			}
			text, err := os.ReadFile(args[1])
			if err != nil {
				return err
			}
			page := filepath.Join(args[0], "labnet.hcl.5")
			return os.WriteFile(page, referencePage(string(text)), 0o644)
		},
	}
}

// referencePage makes a manual page of the configuration's reference.
func referencePage(markdown string) []byte {
	if _, after, ok := strings.Cut(markdown, "-->"); ok {
		markdown = after
	}
	var body strings.Builder
	fmt.Fprintf(&body, "%% \"LABNET.HCL\" \"5\" \"\" \"labnet %s\" \"labnet\"\n# NAME\nlabnet.hcl - the configuration of labnet\n\n", buildVersion())
	// Sections of a page are of the first level.
	for line := range strings.Lines(withoutTables(markdown)) {
		switch {
		case line == "# Configuration\n":
			line = "# DESCRIPTION\n"
		case strings.HasPrefix(line, "## "):
			line = "# " + strings.ToUpper(line[3:])
		case strings.HasPrefix(line, "###"):
			line = line[1:]
		}
		body.WriteString(line)
	}
	body.WriteString("\n# SEE ALSO\n**labnet(8)**, **labnet-init(8)**, **labnet-check(8)**, **labnet-fmt(8)**\n")
	return md2man.Render([]byte(body.String()))
}
