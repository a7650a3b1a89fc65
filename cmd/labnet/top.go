package main

import (
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"labnet/internal/control"
	"labnet/internal/top"
)

// The bounds of an interval: what a daemon shouldn't be bothered more often by, and what nobody waits longer for.
const (
	leastInterval = 200 * time.Millisecond
	mostInterval  = time.Minute
)

func newTop(g *global) *cobra.Command {
	var out format
	var once bool
	cfg := top.Config{Show: printable, Say: oneLine}
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show live who does what: traffic, leases, DNS and DHCP",
		Long: `Show live what the daemon does, and for whom: the traffic of each guest, by the counters of its port, its lease, questions a second by where the
answers come from, DHCP messages a second, upstreams, cache. ? lists the keys. --once measures over one interval and prints it.`,
		Example: `  labnet top
  labnet top --network lab --interval 5s
  labnet top --once -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.Interval < leastInterval || cfg.Interval > mostInterval {
				return wrongUse("--interval: want %v to %v", leastInterval, mostInterval)
			}
			if out != "text" && !once {
				return wrongUse("-o %s is for --once", out)
			}
			if why := noScreen(cmd.InOrStdin(), cmd.OutOrStdout()); why != "" && !once {
				return wrongUse("%s; use `labnet top --once`, or `labnet status`", why)
			}
			client := control.NewClient(g.quietPaths().Socket)
			cfg.Daemon, cfg.Watcher, cfg.In, cfg.Out = client, client, cmd.InOrStdin(), cmd.OutOrStdout()
			if !once {
				return top.Run(cmd.Context(), cfg)
			}
			screen, err := top.Once(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if out != "text" {
				return writeObject(cmd.OutOrStdout(), out, screen.Moment())
			}
			_, err = io.WriteString(cmd.OutOrStdout(), screen.Text(140))
			return err
		},
	}
	addFormat(cmd, &out, objectFormats...)
	cmd.Flags().BoolVar(&once, "once", false, "print one interval, without a terminal")
	cmd.Flags().DurationVar(&cfg.Interval, "interval", time.Second, "between two looks, 200ms to 1m")
	cmd.Flags().StringVar(&cfg.Network, "network", "", "only this network's guests and DHCP")
	cmd.Flags().StringVar(&cfg.Filter, "filter", "", "only guests with this in what is shown of them")
	complete(cmd, g, "filter", leaseKeys)
	complete(cmd, g, "network", networkNames)
	return cmd
}

// noScreen says why these aren't a terminal that can be drawn on, "" if they are.
func noScreen(in io.Reader, out io.Writer) string {
	for _, end := range []any{in, out} {
		file, ok := end.(*os.File)
		if !ok {
			return "this is no terminal"
		}
		if _, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS); err != nil {
			return "this is no terminal"
		}
	}
	if t := os.Getenv("TERM"); t == "" || t == "dumb" {
		return "this terminal can't be drawn on (TERM=" + t + ")"
	}
	return ""
}
