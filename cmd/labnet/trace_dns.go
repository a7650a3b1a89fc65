package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newTraceDNS(g *global) *cobra.Command {
	var out format
	var f control.DNSTraceFilter
	var addr string
	var count int
	cmd := &cobra.Command{
		Use:   "dns",
		Short: "Watch DNS questions: what was answered, and why",
		Long: `Watch DNS questions as they come: one line each with its time, the client, the type and the name, the answer, and why. While it runs,
each answer takes the daemon some microseconds longer. Ctrl-C ends it.`,
		Example: `  labnet trace dns
  labnet trace dns --client 10.0.0.57 --name example.org
  labnet trace dns --rcode SERVFAIL -o ndjson`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if count < 0 {
				return wrongUse("--count wants a number of questions, not %d", count)
			}
			if addr != "" {
				var err error
				if f.Client, err = control.ParseAnyAddressFilter(addr); err != nil {
					return wrongUse("--client: %w", err)
				}
			}
			client := control.NewClient(g.quietPaths().Socket)
			err := traceDNS(cmd, client, f, count, out)
			if cmd.Context().Err() != nil {
				return nil // Ctrl-C is how it ends
			}
			return err
		},
	}
	addFormat(cmd, &out, "text", "ndjson", "json")
	flags := cmd.Flags()
	flags.StringVar(&addr, "client", "", "only questions of this address, or of this prefix")
	flags.StringVar(&f.Name, "name", "", "only about this name, and the names under it")
	flags.StringVar(&f.Type, "type", "", "only of this type, e.g. AAAA")
	flags.StringVar(&f.Reason, "reason", "", "only with this reason, e.g. upstream_timeout")
	flags.StringVar(&f.Rcode, "rcode", "", "only answered so, e.g. NXDOMAIN")
	flags.StringVar(&f.Network, "network", "", "only this network's")
	flags.IntVar(&count, "count", 0, "end after so many questions")
	complete(cmd, g, "network", networkNames)
	complete(cmd, g, "client", leasedAddresses)
	complete(cmd, g, "reason", dnsReasonCodes)
	// Registering fails for flags that don't exist only.
	_ = cmd.RegisterFlagCompletionFunc("rcode", cobra.FixedCompletions([]string{"NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(commonTypes, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("name", cobra.NoFileCompletions)
	return cmd
}

// commonTypes is for the shell.
var commonTypes = []string{"A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "SVCB", "TXT"}

// traceDNS prints count events, or all until the end for 0.
func traceDNS(cmd *cobra.Command, client *control.Client, f control.DNSTraceFilter, count int, out format) error {
	stream, err := client.TraceDNS(cmd.Context(), f)
	if err != nil {
		return err
	}
	status, err := client.Status(cmd.Context())
	several := f.Network == "" && err == nil && len(status.Networks) > 1
	return traceAll(cmd, "DNS", stream, count, out, func(e control.DNSEvent, lost uint64) error {
		return writeDNSTraceLine(cmd.OutOrStdout(), e, lost, several, time.Local)
	})
}

// shownRecords is how many records of an answer a line shows.
const shownRecords = 4

// writeDNSTraceLine prints an event, or how many are lost.
func writeDNSTraceLine(w io.Writer, e control.DNSEvent, lost uint64, several bool, zone *time.Location) error {
	if lost > 0 {
		_, err := fmt.Fprintf(w, "lost %d: questions came faster than this could be read; a filter helps\n", lost)
		return err
	}
	var line strings.Builder
	fmt.Fprintf(&line, "%s %-15s %-5s %s → %s", e.Time.In(zone).Format("15:04:05.000"), e.Client, orDash(e.Type), orDash(e.Name), answerText(e))
	fmt.Fprintf(&line, ": %s (%s) in %s", e.Text, e.Reason, time.Duration(e.Took)*time.Microsecond)
	switch {
	case e.Server != "":
		line.WriteString(", from " + strings.TrimSuffix(e.Server, ":53"))
	case e.Upstream != "" && !e.Cached:
		line.WriteString(", upstream " + e.Upstream)
	}
	if e.TCP {
		line.WriteString(", by TCP")
	}
	if several {
		line.WriteString(" [" + e.Network + "]")
	}
	_, err := io.WriteString(w, visible(line.String())+"\n")
	return err
}

// answerText is the answer's records, of the question's own type without it, or the response code where there are none.
func answerText(e control.DNSEvent) string {
	if e.Rcode != "NOERROR" {
		return e.Rcode
	}
	if len(e.Answer) == 0 {
		return "no record"
	}
	var parts []string
	for _, record := range e.Answer[:min(len(e.Answer), shownRecords)] {
		parts = append(parts, oneLine(strings.TrimPrefix(record, e.Type+" ")))
	}
	if more := len(e.Answer) - shownRecords; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}
