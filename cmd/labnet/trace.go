package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newTrace(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace",
		Short: "Watch what the daemon decides, live",
		Long: `Watch what the daemon decides, live. What can be traced:

  dhcp    each DHCP message, what was answered, and why
  dns     each DNS question, what was answered, and why`,
		Example: `  labnet trace dhcp
  labnet trace dns --client 10.0.0.57`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTraceDHCP(g), newTraceDNS(g))
	return cmd
}

// traceFlags is what is to be seen, as it was typed.
type traceFlags struct{ mac, addr, network, reason string }

func newTraceDHCP(g *global) *cobra.Command {
	var out format
	var f traceFlags
	var count int
	cmd := &cobra.Command{
		Use:   "dhcp",
		Short: "Watch DHCP messages: what was answered, and why",
		Long: `Watch DHCP messages as they come: one line each with its time, the client's MAC, the message, what was answered, and why. REQUESTs
are told apart: REQUEST takes an offer, RENEW and REBIND prolong a lease, REBOOT asks for an address again after a restart.
Ctrl-C ends it.`,
		Example: `  labnet trace dhcp
  labnet trace dhcp --mac 52:54:00:12:34:56
  labnet trace dhcp --addr 10.0.0.0/28 --reason exhausted -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter()
			if err != nil {
				return exitError{exitWrongUse, err}
			}
			if count < 0 {
				return wrongUse("--count wants a number of messages, not %d", count)
			}
			client := control.NewClient(g.quietPaths().Socket)
			err = traceDHCP(cmd, client, filter, count, out)
			if cmd.Context().Err() != nil {
				return nil // Ctrl-C is how it ends
			}
			return err
		},
	}
	addFormat(cmd, &out, "text", "ndjson", "json")
	flags := cmd.Flags()
	flags.StringVar(&f.mac, "mac", "", "only MACs that begin with this, or match it where it has * or ?")
	flags.StringVar(&f.addr, "addr", "", "only what is about this address, or an address of this prefix")
	flags.StringVar(&f.network, "network", "", "only this network's")
	flags.StringVar(&f.reason, "reason", "", "only this reason, e.g. exhausted")
	flags.IntVar(&count, "count", 0, "end after so many messages")
	complete(cmd, g, "mac", leasedMACs)
	complete(cmd, g, "network", networkNames)
	complete(cmd, g, "reason", reasonCodes)
	complete(cmd, g, "addr", leasedAddresses)
	return cmd
}

func (f traceFlags) filter() (out control.TraceFilter, err error) {
	out.Network, out.Reason = f.network, f.reason
	if out.MAC, err = control.ParseMACPattern(f.mac); err != nil {
		return out, fmt.Errorf("--mac: %w", err)
	}
	if f.addr != "" {
		if out.Address, err = control.ParseAddressFilter(f.addr); err != nil {
			return out, fmt.Errorf("--addr: %w", err)
		}
	}
	return out, nil
}

// traceDHCP prints count events, or all until the end for 0.
func traceDHCP(cmd *cobra.Command, client *control.Client, f control.TraceFilter, count int, out format) error {
	stream, err := client.TraceDHCP(cmd.Context(), f)
	if err != nil {
		return err
	}
	several := f.Network == "" && servesSeveral(cmd.Context(), client)
	return traceAll(cmd, "DHCP", stream, count, out, func(e control.TraceEvent, lost uint64) error {
		return writeTraceLine(cmd.OutOrStdout(), e, lost, several, time.Local)
	})
}

// traceAll prints count events of a stream, or all until the end for 0: as JSON, or as text does. It ends the stream.
func traceAll[E any](cmd *cobra.Command, what string, stream *control.EventStream[E], count int, out format, text func(e E, lost uint64) error) error {
	defer stream.Close()
	fmt.Fprintf(cmd.ErrOrStderr(), "tracing %s; Ctrl-C ends\n", what)
	for seen := 0; count == 0 || seen < count; {
		event, lost, err := stream.Next()
		if err != nil {
			return err
		}
		if lost == 0 {
			seen++
		}
		switch {
		case out != "text" && lost > 0:
			err = writeJSONLine(cmd.OutOrStdout(), struct {
				Lost uint64 `json:"lost"`
			}{lost})
		case out != "text":
			err = writeJSONLine(cmd.OutOrStdout(), event)
		default:
			err = text(event, lost)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// servesSeveral tells whether a line must say which network it is about.
func servesSeveral(ctx context.Context, client *control.Client) bool {
	status, err := client.Status(ctx)
	n := 0
	for _, network := range status.Networks {
		if network.DHCP != nil {
			n++
		}
	}
	return err == nil && n > 1
}

// writeTraceLine prints an event, or how many are lost.
func writeTraceLine(w io.Writer, e control.TraceEvent, lost uint64, several bool, zone *time.Location) error {
	if lost > 0 {
		_, err := fmt.Fprintf(w, "lost %d: messages came faster than this could be read; a filter helps\n", lost)
		return err
	}
	var line strings.Builder
	fmt.Fprintf(&line, "%s %-17s %-8s → %-5s %-15s %s", e.Time.In(zone).Format("15:04:05.000"), orDash(e.MAC), orDash(messageWord(e)),
		orDash(e.Reply), orDash(addrText(e)), e.Text)
	switch {
	case e.Name != "":
		line.WriteString(" (" + printable(e.Name) + ")")
	case e.Hostname != "":
		line.WriteString(" (asks to be " + printable(e.Hostname) + ")")
	}
	if e.Relay.IsValid() {
		line.WriteString(", relay " + e.Relay.String())
	}
	if e.MAC == "" && e.From != "" {
		line.WriteString(", from " + e.From)
	}
	for _, reason := range e.Beside {
		line.WriteString(", " + reason)
	}
	if e.Error != "" {
		line.WriteString(": " + e.Error)
	}
	if several {
		line.WriteString(" [" + e.Network + "]")
	}
	_, err := io.WriteString(w, visible(line.String())+"\n")
	return err
}

// messageWord is the message in one word.
func messageWord(e control.TraceEvent) string {
	switch e.State {
	case "renew", "rebind":
		return strings.ToUpper(e.State)
	case "init-reboot":
		return "REBOOT"
	default:
		return e.Message
	}
}

// addrText is the address that a message was about.
func addrText(e control.TraceEvent) string {
	for _, a := range []interface {
		IsValid() bool
		String() string
	}{e.Address, e.Requested, e.InUse} {
		if a.IsValid() {
			return a.String()
		}
	}
	return ""
}
