package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

// dnsShot is one line of a trace.
type dnsShot struct {
	event control.DNSEvent
	lost  uint64
}

// dnsProjector shows a film, and then nothing more.
type dnsProjector struct {
	film []dnsShot
	next int
}

func (p *dnsProjector) Next(ctx context.Context) (control.DNSEvent, uint64, error) {
	if p.next < len(p.film) {
		p.next++
		return p.film[p.next-1].event, p.film[p.next-1].lost, nil
	}
	<-ctx.Done()
	return control.DNSEvent{}, 0, context.Cause(ctx)
}

func (p *dnsProjector) Close() {}

func (f *fake) TraceDNS(filter control.DNSTraceFilter) (control.DNSTrace, error) {
	f.dnsSeen = filter
	if filter.Reason == "nonsense" {
		return nil, fmt.Errorf("%w: there is no reason %q", control.ErrInvalid, filter.Reason)
	}
	return &dnsProjector{film: exampleDNSFilm()}, nil
}

func (f *fake) ExplainDNS(_ context.Context, q control.DNSQuery) ([]control.DNSExplanation, error) {
	f.queried = q
	if q.Name == "a..b" {
		return nil, fmt.Errorf("%w: %q is not a domain name", control.ErrInvalid, q.Name)
	}
	return exampleDNSExplanations(), nil
}

func (f *fake) DNSCache() control.DNSCache { return exampleCache() }

func (f *fake) FlushDNS(name string, below bool) (control.FlushedDNS, error) {
	f.flushes = append(f.flushes, fmt.Sprint(name, below))
	return control.FlushedDNS{Flushed: len(f.flushes)}, nil
}

func exampleCache() control.DNSCache {
	return control.DNSCache{
		CacheUse: control.CacheUse{Entries: 1234, Bytes: 345678, Limit: 16 << 20},
		Hits:     900, Negative: 40, Failures: 10, Misses: 50, Evicted: 1,
		Groups: []control.DNSCacheGroup{
			{Own: true, Entries: 3, Bytes: 500}, {Group: "", Entries: 1, Bytes: 200}, {Group: "corp\x1b[31m", Entries: 33, Bytes: 12000, Negative: 30, Failures: 2, Expired: 1},
		},
	}
}

// exampleDNSFilm has each kind of line, as hostile as a guest or an upstream can make it.
func exampleDNSFilm() []dnsShot {
	at := at("2030-01-02T03:04:05.678901Z")
	event := func(name, qtype, rcode, reason, text string, answer ...string) dnsShot {
		at = at.Add(1234 * time.Microsecond)
		return dnsShot{event: control.DNSEvent{
			Time: at, Network: "lab", Client: netip.MustParseAddr("10.0.0.57"), Port: 40000, Name: name, Type: qtype, Rcode: rcode, Reason: reason,
			Text: text, Answer: answer, Took: 12,
		}}
	}
	all := []dnsShot{
		event("www.example.org.", "A", "NOERROR", "forwarded", "an upstream's answer", "A 192.0.2.80"),
		event("www.example.org.", "A", "NOERROR", "cache_hit", "from the cache", "CNAME x.example.org.", "A 192.0.2.80"),
		event("many.example.org.", "A", "NOERROR", "cache_hit", "from the cache", "A 192.0.2.1", "A 192.0.2.2", "A 192.0.2.3", "A 192.0.2.4", "A 192.0.2.5", "A 192.0.2.6"),
		event(`a\027[31mb.invalid.`, "TYPE65280", "NXDOMAIN", "special_name", "a special-use name, answered here"),
		event("vm1.lab.internal.", "AAAA", "NOERROR", "nodata_local", "a local name, without that type"),
		event("down.example.org.", "A", "SERVFAIL", "upstream_timeout", "no upstream answered in time"),
		event("", "", "FORMERR", "format_error", "malformed, or not exactly one question"),
		event("evil.example.org.", "NULL", "NOERROR", "forwarded", "an upstream's answer", "NULL \x1b]0;x\x07\nfaked line"),
		{lost: 37},
	}
	all[0].event.Upstream, all[0].event.Server, all[0].event.Took = "default", "192.0.2.53:53", 12345
	all[1].event.Upstream, all[1].event.Cached = "default", true
	all[5].event.Upstream, all[5].event.TCP, all[5].event.Took = "corp", true, 4800000
	return all
}

func exampleDNSExplanations() []control.DNSExplanation {
	leases := exampleLeases()
	ended := leases[7]
	ended.Expires = at("2030-01-02T11:00:00Z")
	return []control.DNSExplanation{
		{
			Network: "lab", Client: netip.MustParseAddr("10.0.0.1"), Name: "registry.lab.internal.", Type: "A", Reason: "local_record", Text: "a record of the configuration",
			Rcode: "NOERROR", Authoritative: true, Authenticated: true, Took: 1200, Upstream: "default", Server: "192.0.2.53:53",
			Answer:   []string{"registry.lab.internal. 60 CNAME www.example.org.", "www.example.org. 300 NULL \x1b[31m\nfaked"},
			Extended: []string{"Other: \x1b[31m\nfaked"},
			Steps: []control.DNSStep{
				{Stage: "client", Name: "registry.lab.internal.", Says: "10.0.0.1 is this host: it may ask", Network: "lab"},
				{Stage: "local", Name: "registry.lab.internal.", Says: "a record of the configuration in the zone lab.internal. of network lab; an alias of www.example.org.", Zone: "lab.internal.", Network: "lab", Reason: "local_record"},
				{Stage: "local", Name: "www.example.org.", Says: "not a name of this host"},
				{Stage: "cache", Name: "www.example.org.", Says: "an answer that expired 3s ago", Group: "default", Cached: &control.DNSCached{Kind: "answer", Age: 303, Left: -3}},
				{Stage: "upstream", Name: "www.example.org.", Says: `asked: 192.0.2.53 of the upstreams "default"`, Group: "default", Servers: []control.Upstream{{Group: "default", Server: "192.0.2.53:53", Healthy: true, RTT: "1.5ms"}}, After: 90},
				{Stage: "upstream", Name: "www.example.org.", Says: "192.0.2.53 says NOERROR", Reason: "forwarded", After: 1190},
			},
		},
		{
			Network: "dmz", Client: netip.MustParseAddr("10.1.0.9"), Name: "gone.", Type: "A", Reason: "nxdomain_local", Text: "no such local name", Rcode: "NXDOMAIN", Took: 9,
			Steps: []control.DNSStep{
				{Stage: "local", Name: "gone.", Says: "no lease, host or record has the name", Reason: "nxdomain_local", Lease: &ended},
				{Stage: "local", Name: "gone.", Says: "a host of the configuration", Host: "builder"},
			},
			Remedies: []string{"the lease of 10.0.0.70 is over (released), and the name with it"},
		},
		{Network: "third", Name: `a\027b.`, Type: "TXT", Open: true, Steps: []control.DNSStep{{Stage: "upstream", Name: `a\027b.`, Says: "would be asked: 192.0.2.53"}}},
		{
			Network: "lab", Name: "vm1.lab.internal.", Type: "A", Reason: "local_lease", Text: "a lease", Rcode: "NOERROR", Answer: []string{"vm1.lab.internal. 60 A 10.0.0.57"},
			Steps: []control.DNSStep{{Stage: "local", Name: "vm1.lab.internal.", Says: "a lease in the zone lab.internal. of network lab", Reason: "local_lease", Lease: &leases[0]}},
		},
		{Network: "lab", Name: "vm1.lab.internal.", Type: "AAAA", Reason: "nodata_local", Text: "a local name, without that type", Rcode: "NOERROR", Steps: []control.DNSStep{}},
	}
}

func TestDNSOutput(t *testing.T) {
	for _, test := range []struct {
		name  string
		write func(*bytes.Buffer) error
	}{
		{"explain-dns", func(w *bytes.Buffer) error {
			return writeDNSExplanations(w, exampleDNSExplanations(), at("2030-01-02T12:00:00Z"))
		}},
		{"explain-dns-json", func(w *bytes.Buffer) error { return writeJSON(w, exampleDNSExplanations()) }},
		{"cache", func(w *bytes.Buffer) error { return writeCache(w, exampleCache()) }},
		{"cache-json", func(w *bytes.Buffer) error { return writeJSON(w, exampleCache()) }},
		{"trace-dns", func(w *bytes.Buffer) error {
			for i, s := range exampleDNSFilm() {
				if err := writeDNSTraceLine(w, s.event, s.lost, i == 0, time.UTC); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := test.write(&out); err != nil {
				t.Fatal(err)
			}
			harmless(t, out.String())
			golden(t, test.name, out.String())
		})
	}
}

func TestTraceDNS(t *testing.T) {
	for _, flag := range []string{"json", "ndjson"} {
		got := ask(t, &fake{}, "trace", "dns", "--count", "8", "-o", flag)
		if got.Code != exitDone || got.ErrOut != "tracing DNS; Ctrl-C ends\n" {
			t.Errorf("%+v", got)
		}
		harmless(t, got.Out)
		golden(t, "trace-dns-json", got.Out)
	}
	f := &fake{}
	got := ask(t, f, strings.Fields("trace dns --count 2 --client 10.0.0.7/28 --network lab --name example.org --type aaaa --reason forwarded --rcode nxdomain")...)
	want := control.DNSTraceFilter{
		Client: netip.MustParsePrefix("10.0.0.0/28"), Network: "lab", Name: "example.org", Type: "aaaa", Reason: "forwarded", Rcode: "nxdomain",
	}
	if got.Code != exitDone || strings.Count(got.Out, "\n") != 2 || f.dnsSeen != want {
		t.Errorf("%+v: the filter is %+v", got, f.dnsSeen)
	}
	if got := ask(t, f, "trace", "dns", "--reason", "nonsense"); got.Code != exitFailed || !strings.Contains(got.ErrOut, `there is no reason "nonsense"`) {
		t.Errorf("%+v", got)
	}
}

func TestWhoAsksWhat(t *testing.T) {
	addr := netip.MustParseAddr
	for _, test := range []struct {
		name, args string
		want       control.DNSQuery
	}{
		{"little", "x", control.DNSQuery{Name: "x", Ask: true}},
		{"unasked", "x. --no-query --type MX --dnssec", control.DNSQuery{Name: "x.", Type: "MX", DNSSEC: true}},
		{"from a guest", "x --from builder", control.DNSQuery{Name: "x", From: addr("10.0.0.57"), Network: "lab", Ask: true}},
		{"from its MAC", "x --from 52:54:00:00:00:01", control.DNSQuery{Name: "x", From: addr("10.0.0.57"), Network: "lab", Ask: true}},
		{"from an address", "10.0.0.9 --from 203.0.113.7 --network dmz", control.DNSQuery{Name: "10.0.0.9", From: addr("203.0.113.7"), Network: "dmz", Ask: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fake{leases: exampleLeases()}
			if got := ask(t, f, append([]string{"explain", "dns"}, strings.Fields(test.args)...)...); got.Code != exitDone || f.queried != test.want {
				t.Errorf("%+v\n got %+v\nwant %+v", got, f.queried, test.want)
			}
		})
	}
	for args, want := range map[string]string{
		"x --from nobody": `--from: no lease has the name or MAC "nobody"`,
		"x --from twin":   "--from: \"twin\" is ambiguous",
		"a..b":            `labnet: "a..b" is not a domain name`,
	} {
		if got := ask(t, &fake{leases: exampleLeases()}, append([]string{"explain", "dns"}, strings.Fields(args)...)...); got.Code != exitFailed || got.Out != "" || !strings.Contains(got.ErrOut, want) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	for _, args := range [][]string{{"explain", "dns"}, {"explain", "dns", "a", "b"}, {"explain", "dns", ""}, {"cache", "flush", ""}} {
		if got := labnet(t, nil, args...); got.Code != exitWrongUse {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestCacheFlush(t *testing.T) {
	f := &fake{}
	for i, test := range []struct{ args, seen, want string }{
		{"cache flush", "false", "flushed 1 answer\n"},
		{"cache flush www.example.org", "www.example.orgfalse", "flushed 2 answers\n"},
		{"cache flush example.org --below -o json", "example.orgtrue", "{\n  \"flushed\": 3\n}\n"},
	} {
		got := ask(t, f, strings.Fields(test.args)...)
		if got.Code != exitDone || got.Out != test.want || f.flushes[i] != test.seen {
			t.Errorf("%s: %+v, %q", test.args, got, f.flushes)
		}
	}
	if got := ask(t, f, "cache", "-o", "json"); got.Code != exitDone || !strings.Contains(got.Out, `"limit_bytes": 16777216`) {
		t.Errorf("%+v", got)
	}
}

func TestDNSCompletion(t *testing.T) {
	f := &fake{leases: exampleLeases()[:1]}
	for _, test := range []struct{ args, want string }{
		{"trace dns --reason |", "forwarded\t3 times\n:4\n"},
		{"trace dns --client |", "10.0.0.57\tbuilder\n:4\n"},
		{"trace dns -o |", "text\nndjson\njson\n:4\n"},
		{"explain dns --from |", "10.0.0.57\tbuilder\n52:54:00:00:00:01\tbuilder\nbuilder\t10.0.0.57\n:4\n"},
		{"cache flush |", ":4\n"},
	} {
		socket, stop := serveFake(t, f)
		words := strings.Fields(strings.TrimSuffix(test.args, "|"))
		got := labnet(t, nil, append([]string{cobra.ShellCompRequestCmd, "--socket", socket, "-c", socket + ".none"}, append(words, "")...)...)
		stop()
		if got.Out != test.want {
			t.Errorf("%s: %q, want %q (%s)", test.args, got.Out, test.want, got.ErrOut)
		}
	}
}
