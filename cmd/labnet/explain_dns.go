package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newExplainDNS(g *global) *cobra.Command {
	var out format
	var from string
	var noQuery bool
	q := control.DNSQuery{}
	cmd := &cobra.Command{
		Use:   "dns NAME|ADDRESS",
		Short: "Say how a name is resolved now, and why",
		Long: `Say how a name is resolved now, and why: who is asked in which order, what each says, the answer, how long it took, and what may be done if it isn't
the right one. An address means its reverse name. Where it comes to that, an upstream is really asked, once, unless --no-query is given; what it
answers is kept as always. Nothing is counted, and no guest notices.`,
		Example: `  labnet explain dns www.example.org
  labnet explain dns builder --from vm1
  labnet explain dns 10.0.0.57
  labnet explain dns example.org --type MX --no-query`,
		Args: exactArgs(1, "a name, or an address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			query := q
			query.Name, query.Ask = args[0], !noQuery
			if args[0] == "" {
				return wrongUse("the name is empty; %s wants a name, or an address", cmd.CommandPath())
			}
			if err := askAs(cmd, client, from, &query); err != nil {
				return err
			}
			found, err := client.ExplainDNS(cmd.Context(), query)
			if err != nil {
				return err
			}
			if out != "text" {
				return writeObject(cmd.OutOrStdout(), out, found)
			}
			return writeDNSExplanations(cmd.OutOrStdout(), found, time.Now())
		},
		ValidArgsFunction: oneArg(completion(g, leaseKeys)),
	}
	addFormat(cmd, &out, objectFormats...)
	flags := cmd.Flags()
	flags.StringVar(&q.Type, "type", "", "the type of record (default: A, or PTR for an address)")
	flags.StringVar(&from, "from", "", "who asks: the name, MAC or address of a lease, or any address (default: this host)")
	flags.StringVar(&q.Network, "network", "", "only this network's server (default: that of --from, or all)")
	flags.BoolVar(&q.DNSSEC, "dnssec", false, "ask as a client that validates; its answers are kept apart")
	flags.BoolVar(&noQuery, "no-query", false, "ask no upstream: stop where one would be asked")
	complete(cmd, g, "network", networkNames)
	complete(cmd, g, "from", leaseKeys)
	// Registering fails for flags that don't exist only.
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(commonTypes, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// askAs says in a query who asks.
func askAs(cmd *cobra.Command, client *control.Client, from string, q *control.DNSQuery) error {
	if from == "" {
		return nil
	}
	var err error
	if q.From, err = netip.ParseAddr(from); err == nil {
		return nil
	}
	lease, err := findLease(cmd.Context(), client, q.Network, from)
	if _, unknown := errors.AsType[noLeaseError](err); unknown {
		return fmt.Errorf("--from: no lease has the name or MAC %q; name an address, or see `labnet leases`", from)
	}
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	q.From = lease.Address
	if q.Network == "" {
		q.Network = lease.Network
	}
	return nil
}

func writeDNSExplanations(w io.Writer, found []control.DNSExplanation, now time.Time) error {
	var text strings.Builder
	for i := range found {
		if i > 0 {
			text.WriteString("\n")
		}
		writeDNSExplanation(&text, &found[i], now)
	}
	_, err := io.WriteString(w, visible(text.String()))
	return err
}

func writeDNSExplanation(text *strings.Builder, e *control.DNSExplanation, now time.Time) {
	line := func(key, format string, args ...any) {
		text.WriteString(strings.TrimRight(fmt.Sprintf("  %-12s ", key)+fmt.Sprintf(format, args...), " ") + "\n")
	}
	fmt.Fprintf(text, "%s %s in network %s\n", e.Name, e.Type, e.Network)
	about := e.Name
	for i := range e.Steps {
		s := &e.Steps[i]
		if s.Name != about {
			about = s.Name
			line("then", "%s", about)
		}
		line(s.Stage, "%s", s.Says)
		if s.Lease != nil {
			line("", "%s, %s, %s%s", s.Lease.Address, orDash(s.Lease.MAC), leaseEnd(s.Lease), expiry(*s.Lease, now))
		}
		if s.Host != "" {
			line("", "host %s", s.Host)
		}
	}
	if e.Open {
		line("answer", "not known: an upstream would be asked (--no-query)")
		return
	}
	line("answer", "%s: %s (%s)", answerCode(e), e.Text, e.Reason)
	for _, record := range e.Answer {
		line("", "%s", oneLine(record))
	}
	for _, extended := range e.Extended {
		line("", "%s", oneLine(extended))
	}
	line("took", "%s", time.Duration(e.Took)*time.Microsecond)
	for _, remedy := range e.Remedies {
		line("remedy", "%s", remedy)
	}
}

// leaseEnd is the word before the end of a lease.
func leaseEnd(l *control.Lease) string {
	if l.State == "bound" {
		return "expires "
	}
	return l.State + ", "
}

// answerCode is the response code, and what its flags say.
func answerCode(e *control.DNSExplanation) string {
	text := e.Rcode
	if e.Rcode == "NOERROR" && len(e.Answer) == 0 {
		text += " without a record"
	}
	if e.Authenticated {
		text += ", validated by the upstream"
	}
	return text
}
