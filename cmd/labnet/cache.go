package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newCache(g *global) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Show how the DNS cache does, or flush it",
		Long: `Show how the DNS cache does: the answers of upstreams that it keeps, the room that they take, and how often it spared asking.
Leases are never in it.`,
		Example: `  labnet cache
  labnet cache flush www.example.org`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := control.NewClient(g.quietPaths().Socket).DNSCache(cmd.Context())
			if err != nil {
				return err
			}
			if out != "text" {
				return writeObject(cmd.OutOrStdout(), out, found)
			}
			return writeCache(cmd.OutOrStdout(), found)
		},
	}
	addFormat(cmd, &out, objectFormats...)
	cmd.AddCommand(newCacheFlush(g))
	return cmd
}

func newCacheFlush(g *global) *cobra.Command {
	var out format
	var below bool
	cmd := &cobra.Command{
		Use:   "flush [NAME]",
		Short: "Take answers out of the DNS cache",
		Long: `Take answers out of the DNS cache: all, or those to questions about a name, of every type. An alias of that name has an answer of its own,
which stays. Root may, and who is of a group of api.admins.`,
		Example: `  labnet cache flush
  labnet cache flush www.example.org
  labnet cache flush example.org --below`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return wrongUse("%s wants one name, or none for all; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
			case len(args) == 0 && below:
				return wrongUse("--below wants a name; without both, everything goes")
			case len(args) == 1 && args[0] == "":
				return wrongUse("the name is empty; without one, everything goes")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			flushed, err := control.NewClient(g.quietPaths().Socket).FlushDNS(cmd.Context(), strings.Join(args, ""), below)
			if err != nil {
				return err
			}
			if out != "text" {
				return writeObject(cmd.OutOrStdout(), out, flushed)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "flushed %s\n", answers(flushed.Flushed))
			return err
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addFormat(cmd, &out, objectFormats...)
	cmd.Flags().BoolVar(&below, "below", false, "also the names under it")
	return cmd
}

func writeCache(w io.Writer, c control.DNSCache) error {
	var text strings.Builder
	line := func(key, format string, args ...any) {
		fmt.Fprintf(&text, "%-10s "+format+"\n", append([]any{key}, args...)...)
	}
	line("holds", "%s", cacheUse(c.CacheUse))
	line("evicted", "%s that had not expired", answers(int(c.Evicted)))
	asked := c.Hits + c.Negative + c.Failures + c.Misses
	line("questions", "%d about the outside%s", asked, percentage(" by the cache", asked-c.Misses, asked))
	line("hits", "%d answers, %d that there is no such name or type, %d failures", c.Hits, c.Negative, c.Failures)
	line("misses", "%d", c.Misses)
	for _, g := range c.Groups {
		name := "upstream " + g.Group
		switch {
		case g.Own:
			name = "this host"
		case g.Group == "":
			name = "former upstreams"
		}
		fmt.Fprintf(&text, "\n%s\n", visible(name))
		fmt.Fprintf(&text, "  %s, %s; %d negative, %d failures, %d expired\n", answers(g.Entries), size(g.Bytes), g.Negative, g.Failures, g.Expired)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// cacheUse is how full the cache is.
func cacheUse(c control.CacheUse) string {
	return fmt.Sprintf("%s, %s of %s", answers(c.Entries), size(c.Bytes), size(c.Limit))
}

// percentage is a share in brackets, "" of nothing.
func percentage(what string, part, of uint64) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf(", %.1f %%%s", 100*float64(part)/float64(of), what)
}

func answers(n int) string {
	if n == 1 {
		return "1 answer"
	}
	return fmt.Sprintf("%d answers", n)
}

// size is bytes for people.
func size(n int64) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
