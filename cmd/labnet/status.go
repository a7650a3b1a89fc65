package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newStatus(g *global) *cobra.Command {
	var out format
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the daemon and its networks are",
		Example: `  labnet status
  labnet status --wait 10s -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := waitForStatus(cmd.Context(), control.NewClient(g.quietPaths().Socket), wait)
			if err != nil {
				return err
			}
			if out != "text" {
				return writeObject(cmd.OutOrStdout(), out, status)
			}
			return writeStatus(cmd.OutOrStdout(), status, time.Now())
		},
	}
	addFormat(cmd, &out, objectFormats...)
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait so long for a daemon that serves, e.g. 10s")
	return cmd
}

// waitForStatus asks until a daemon answers; it answers only once it serves.
func waitForStatus(ctx context.Context, client *control.Client, limit time.Duration) (control.Status, error) {
	deadline := time.Now().Add(limit)
	for {
		status, err := client.Status(ctx)
		if !errors.Is(err, control.ErrNotRunning) || !time.Now().Before(deadline) {
			return status, err
		}
		select {
		case <-ctx.Done():
			return status, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func writeStatus(w io.Writer, s control.Status, now time.Time) error {
	var text strings.Builder
	fmt.Fprintf(&text, "labnet %s: %s (pid %d, up %s, %s)\n", s.Version, tint(w, stateOf(s), string(s.State)), s.PID, now.Sub(s.Started).Round(time.Second), s.Config)
	for _, n := range s.Networks {
		fmt.Fprintf(&text, "\nnetwork %s (%s)\n", n.Name, n.Mode)
		if n.Handover != nil {
			writeHandover(&text, n)
			continue
		}
		fmt.Fprintf(&text, "  bridge   %s, %s\n", n.Bridge, n.Address)
		for _, a := range n.Secondary {
			fmt.Fprintf(&text, "           %s\n", a)
		}
		fmt.Fprintf(&text, "  uplink   %s\n", uplinkOf(n))
		for _, r := range n.Routes {
			fmt.Fprintf(&text, "  route    needed by the LAN's router: %s\n", r.Command)
		}
		if n.DHCP != nil {
			fmt.Fprintf(&text, "  dhcp     %s\n", leased(n))
		} else {
			text.WriteString("  dhcp     off\n")
		}
		for _, o := range n.OtherServers {
			fmt.Fprintf(&text, "  warning  %s\n", otherServer(n.Bridge, o, now))
		}
		if n.Domain != "" {
			fmt.Fprintf(&text, "  domain   %s\n", n.Domain)
		}
	}
	if len(s.Upstreams) > 0 {
		text.WriteString("\nupstreams\n")
	}
	width := len("upstream")
	for _, u := range s.Upstreams {
		width = max(width, len(u.Group))
	}
	for _, u := range s.Upstreams {
		health := "healthy"
		switch {
		case u.Looping:
			health = "asks us what we ask it; not asked"
		case !u.Healthy:
			health = "not answering"
		case u.RTT == "":
			health = "no answer yet"
		}
		fmt.Fprintf(&text, "  %-*s %s, %s\n", width, u.Group, u.Server, health)
	}
	if len(s.Upstreams) > 0 {
		fmt.Fprintf(&text, "  %-*s %s\n", width, "cache", cacheUse(s.Cache))
	}
	writeBlockLists(&text, s.Block)
	writeHostsFiles(&text, s.HostsFiles)
	writeHooks(&text, s.Hooks, now)
	for _, p := range s.Problems {
		text.WriteString("\n" + problemLine(p) + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// stateOf is the colour of the daemon's state.
func stateOf(s control.Status) colour {
	if s.State == control.Ready {
		return good
	}
	return bad
}

// writeHandover is how a bridged network's bridge does.
func writeHandover(text *strings.Builder, n control.Network) {
	switch n.Handover.State {
	case control.HandoverPending:
		fmt.Fprintf(text, "  bridge   %s, pending: labnet apply\n", n.Bridge)
	case control.HandoverWaiting:
		fmt.Fprintf(text, "  bridge   %s, %s, back in %v unless confirmed\n", n.Bridge, n.Address, time.Duration(n.Handover.Left)*time.Second)
	default:
		fmt.Fprintf(text, "  bridge   %s, %s\n", n.Bridge, n.Address)
	}
	fmt.Fprintf(text, "  uplink   %s\n", n.Uplink)
}

func writeBlockLists(text *strings.Builder, lists []control.BlockList) {
	if len(lists) > 0 {
		text.WriteString("\nblock lists\n")
	}
	for _, l := range lists {
		fmt.Fprintf(text, "  %s, %s", visible(l.File), count(l.Names, "name"))
		if l.Bad > 0 {
			fmt.Fprintf(text, ", %s passed over", count(l.Bad, "line"))
		}
		if l.Error != "" {
			text.WriteString(", can't be read now")
		}
		text.WriteString("\n")
	}
}

func writeHooks(text *strings.Builder, hooks []control.Hook, now time.Time) {
	if len(hooks) > 0 {
		text.WriteString("\nhooks\n")
	}
	width := 8
	for _, h := range hooks {
		width = max(width, utf8.RuneCountInString(h.Name))
	}
	for _, h := range hooks {
		fmt.Fprintf(text, "  %-*s %s, %d told, %d failed, %d dropped, %d waiting\n",
			width, visible(h.Name), visible(h.Target), h.Delivered, h.Failed, h.Dropped, h.Waiting)
		if h.LastError != "" {
			fmt.Fprintf(text, "  %-*s last error %s ago: %s\n", width, "", now.Sub(h.LastErrorAt).Round(time.Second), visible(h.LastError))
		}
	}
}

// otherServer is the line about somebody else's DHCP server.
func otherServer(bridge string, o control.OtherServer, now time.Time) string {
	ago := now.Sub(o.Heard).Round(time.Second)
	if o.MAC == "" {
		return fmt.Sprintf("another DHCP server on %s: %s, named by a guest %s ago", bridge, o.Server, ago)
	}
	return fmt.Sprintf("another DHCP server on %s: %s (%s), heard %s ago", bridge, o.Server, o.MAC, ago)
}

// leased is how far a network's ranges are used up. Reservations may be outside them.
func leased(n control.Network) string {
	text := fmt.Sprintf("%s, %d leased", addresses(n.Addresses), n.Leased)
	if n.Leased >= n.Addresses {
		text = addresses(n.Addresses) + ", all leased"
	}
	if outside := n.Bound - n.Leased; outside > 0 {
		text += fmt.Sprintf("; %d outside the ranges", outside)
	}
	return text
}

func addresses(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", n)
}

func writeHostsFiles(text *strings.Builder, files []control.HostsFile) {
	if len(files) > 0 {
		text.WriteString("\nhosts files\n")
	}
	for _, f := range files {
		fmt.Fprintf(text, "  %s, %s", visible(f.File), count(f.Names, "name"))
		if f.Bad > 0 {
			fmt.Fprintf(text, ", %s passed over", count(f.Bad, "line"))
		}
		if f.Error != "" {
			text.WriteString(", can't be read now")
		}
		text.WriteString("\n")
	}
}
