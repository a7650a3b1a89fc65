package dnsserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

var times = regexp.MustCompile(`\b[0-9.]+(µs|ms|s)\b|:[0-9]{4,5}\b| -p [0-9]+`)

// told writes an explanation as a line for each step, and one each for the answer and the remedies; times and ports left out.
func told(e Explanation) string {
	var b strings.Builder
	for _, s := range e.Steps {
		fmt.Fprintf(&b, "%s %s: %s", s.Stage, s.Name, s.Says)
		if s.Reason != "" {
			fmt.Fprintf(&b, " (%s)", s.Reason)
		}
		b.WriteString("\n")
	}
	if e.Open {
		return times.ReplaceAllString(b.String()+"= open", "_")
	}
	fmt.Fprintf(&b, "= %s %s", e.Reason, e.Rcode)
	for _, rr := range e.Answer {
		b.WriteString("; " + rr)
	}
	for _, ext := range e.Extended {
		b.WriteString(" [" + ext + "]")
	}
	for _, r := range e.Remedies {
		b.WriteString("\n! " + r)
	}
	return times.ReplaceAllString(b.String(), "_")
}

// explaining is a server with something of everything, and an upstream that knows some names.
func explaining(t *testing.T) (*testServer, *leaseMap, *fakeUpstream) {
	t.Helper()
	up := startUpstream(t, func(x exchange) {
		switch strings.ToLower(x.query.Question[0].Name) {
		case "www.example.org.":
			x.answer(dns.RcodeSuccess, "www.example.org. 300 A 192.0.2.80")
		case "alias.example.org.":
			x.answer(dns.RcodeSuccess, "alias.example.org. 300 CNAME builder.lab.internal.")
		case "broken.example.org.":
			x.answer(dns.RcodeServerFailure)
		default:
			x.answer(dns.RcodeNameError, "!example.org. 300 SOA ns hostmaster 1 3600 600 86400 60")
		}
	})
	cfg := labs(freePort(t))
	cfg.Upstreams = []UpstreamGroup{
		{Name: "default", Servers: []netip.AddrPort{up.addr}},
		{Name: "nobody", Domains: []string{"void.example"}, Follow: "/nonexistent/resolv.conf"},
	}
	names := &leaseMap{}
	names.set("lab", "vm1", "127.10.0.57", time.Hour)
	return startServer(t, cfg, names), names, up
}

func (s *testServer) explained(q Question, text, qtype string) Explanation {
	s.t.Helper()
	var err error
	if q.Name, q.Type, err = ParseQuestion(text, qtype); err != nil {
		s.t.Fatal(err)
	}
	found, err := s.Explain(s.t.Context(), q)
	if err != nil || len(found) != 1 {
		s.t.Fatalf("%v, %d explanations", err, len(found))
	}
	return found[0]
}

func TestExplain(t *testing.T) {
	s, _, _ := explaining(t)
	guest := netip.MustParseAddr("127.10.0.57")
	for _, test := range []struct {
		name, text, qtype string
		change            func(*Question)
		want              string
	}{
		{name: "a lease", text: "vm1.lab.internal", want: `
			client vm1.lab.internal.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local vm1.lab.internal.: a lease in the zone lab.internal. of network lab (local_lease)
			= local_lease NOERROR; vm1.lab.internal. 60 A 127.10.0.57`},
		{name: "a single label", text: "VM1", want: `
			client vm1.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local vm1.: a single label stands for vm1.lab.internal.; a lease in the zone lab.internal. of network lab (local_lease)
			= local_lease NOERROR; vm1. 60 A 127.10.0.57`},
		{name: "an address", text: "127.10.0.57", want: `
			client 57.0.10.127.in-addr.arpa.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local 57.0.10.127.in-addr.arpa.: a lease in the zone 0.10.127.in-addr.arpa. of network lab (local_lease)
			= local_lease NOERROR; 57.0.10.127.in-addr.arpa. 60 PTR vm1.lab.internal.`},
		{name: "another type", text: "vm1.lab.internal.", qtype: "aaaa", want: `
			client vm1.lab.internal.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local vm1.lab.internal.: the name is there, without AAAA: it has A, in the zone lab.internal. of network lab (nodata_local)
			= nodata_local NOERROR`},
		{name: "another network's", text: "db", want: `
			client db.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local db.: a single label stands for db.lab.internal.; no lease, host or record has the name in the zone lab.internal. of network lab (nxdomain_local)
			= nxdomain_local NXDOMAIN
			! network dev has the name: ask for db.dev.internal.
			! a single label is looked for in the network's own domain only, and upstreams are never asked for it`},
		{name: "aliases that leave", text: "away.lab.internal", want: `
			client away.lab.internal.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local away.lab.internal.: a record of the configuration in the zone lab.internal. of network lab; an alias of www.example.org. (local_record)
			local www.example.org.: not a name of this host
			cache www.example.org.: no answer is kept
			upstream www.example.org.: asked: 127.0.0.1_ of the upstreams "default"
			upstream www.example.org.: 127.0.0.1_ says NOERROR (forwarded)
			= local_record NOERROR; away.lab.internal. 60 CNAME www.example.org.; www.example.org. 300 A 192.0.2.80`},
		{name: "what is known by now", text: "www.example.org", change: func(q *Question) { q.Ask = false }, want: `
			client www.example.org.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local www.example.org.: not a name of this host
			cache www.example.org.: an answer of _ ago, good for another 5m0s (cache_hit)
			= cache_hit NOERROR; www.example.org. 300 A 192.0.2.80`},
		{name: "an alias that leads home", text: "alias.example.org", want: `
			client alias.example.org.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local alias.example.org.: not a name of this host
			cache alias.example.org.: no answer is kept
			upstream alias.example.org.: asked: 127.0.0.1_ of the upstreams "default"
			upstream alias.example.org.: 127.0.0.1_ says NOERROR; an alias that leads to builder.lab.internal. (forwarded)
			local builder.lab.internal.: a host of the configuration in the zone lab.internal. of network lab (local_host)
			policy builder.lab.internal.: an outside name that points inside, without its addresses (rebind)
			= rebind NOERROR [Blocked: rebinding: 127.10.0.10 is inside]
			! if its owner may name addresses in here, name its domain in ` + "`rebind_allow`" + ` of the resolver`},
		{name: "nobody's, unasked", text: "none.example.org", change: func(q *Question) { q.Ask = false }, want: `
			client none.example.org.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local none.example.org.: not a name of this host
			cache none.example.org.: no answer is kept
			upstream none.example.org.: would be asked: 127.0.0.1_ of the upstreams "default"
			= open`},
		{name: "nobody's", text: "none.example.org", want: `
			client none.example.org.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local none.example.org.: not a name of this host
			cache none.example.org.: no answer is kept
			upstream none.example.org.: asked: 127.0.0.1_ of the upstreams "default"
			upstream none.example.org.: 127.0.0.1_ says NXDOMAIN (forwarded_negative)
			= forwarded_negative NXDOMAIN`},
		{name: "an upstream that fails", text: "broken.example.org", want: `
			client broken.example.org.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local broken.example.org.: not a name of this host
			cache broken.example.org.: no answer is kept
			upstream broken.example.org.: asked: 127.0.0.1_ of the upstreams "default"
			upstream broken.example.org.: no upstream gave an answer (upstream_failure)
			= upstream_failure SERVFAIL [Network Error: an upstream answered SERVFAIL]
			! ask the upstream itself on this host: dig_ @127.0.0.1 broken.example.org. A; if that has an answer, the log has more`},
		{name: "the failure after it", text: "broken.example.org", want: `
			client broken.example.org.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local broken.example.org.: not a name of this host
			cache broken.example.org.: a failure of _ ago, good for another _ (cache_failure)
			= cache_failure SERVFAIL [Network Error: an upstream answered SERVFAIL]
			! ask the upstream itself on this host: dig_ @127.0.0.1 broken.example.org. A; if that has an answer, the log has more
			! a failure is remembered for some seconds; ` + "`labnet cache flush`" + ` forgets it at once`},
		{name: "no upstream", text: "x.void.example", want: `
			client x.void.example.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local x.void.example.: not a name of this host
			upstream x.void.example.: the upstreams "nobody" have no server (no_upstream)
			= no_upstream SERVFAIL [No Reachable Authority: no upstream to ask]
			! name a server in ` + "`resolver`" + `, or where the host's own are followed, see that its /etc/resolv.conf has one beside this server`},
		{name: "a stranger", text: "www.example.org", change: func(q *Question) { q.Network, q.Client = "lab", netip.MustParseAddr("203.0.113.9") }, want: `
			client www.example.org.: 203.0.113.9 may not ask in network lab: it is not of 127.10.0.0/24 (refused_client)
			= refused_client REFUSED [Prohibited: not a client of this network]
			! guests of network lab have addresses of its subnet; let others ask by ` + "`clients`" + ` in its ` + "`dns`" + ` block`},
		{name: "a special name", text: "x.invalid", want: `
			client x.invalid.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local x.invalid.: a special-use name, answered here (special_name)
			= special_name NXDOMAIN`},
		{name: "a wildcard", text: "x.apps.lab.internal", want: `
			client x.apps.lab.internal.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local x.apps.lab.internal.: a record of the configuration, by a wildcard in the zone lab.internal. of network lab (local_record)
			= local_record NOERROR; x.apps.lab.internal. 60 A 127.10.0.80`},
		{name: "a loop", text: "loop1", qtype: "TXT", want: `
			client loop1.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			local loop1.: a single label stands for loop1.lab.internal.; a record of the configuration in the zone lab.internal. of network lab; an alias of loop2.lab.internal. (local_record)
			local loop2.lab.internal.: a record of the configuration in the zone lab.internal. of network lab; an alias of loop1.lab.internal. (local_record)
			local loop1.lab.internal.: a record of the configuration in the zone lab.internal. of network lab; an alias of loop2.lab.internal. (local_record)`},
		{name: "a transfer", text: "lab.internal", qtype: "AXFR", want: `
			client lab.internal.: 127.10.0.57 is of network lab, 127.10.0.0/24: it may ask
			= refused_transfer REFUSED`},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := s.Stats()
			q := Question{Client: guest, Ask: true}
			if test.change != nil {
				test.change(&q)
			}
			got := told(s.explained(q, test.text, test.qtype))
			want := strings.ReplaceAll(strings.TrimSpace(test.want), "\n\t\t\t", "\n")
			if test.name == "a loop" {
				got = got[:min(len(got), len(want))]
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if after := s.Stats(); !maps.Equal(before, after) {
				t.Errorf("it was counted: %s", cmp.Diff(before, after))
			}
		})
	}
}

// An explanation asks once, keeps what it hears as always, and by itself makes nothing popular.
func TestExplainDisturbsNothing(t *testing.T) {
	s, _, up := explaining(t)
	q := Question{Network: "lab", Ask: true}
	s.explained(q, "www.example.org", "")
	s.explained(q, "www.example.org", "")
	if n := up.queries.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	for e := range s.cache.all() {
		if e.used.Load() {
			t.Error("the entry counts as used")
		}
	}
	if got := ask(t, "udp", s.at, "www.example.org.", dns.TypeA); len(got.Answer) != 1 {
		t.Errorf("%v", got)
	}
	if n := up.queries.Load(); n != 1 {
		t.Errorf("the answer wasn't kept: asked %d times", n)
	}
}

// Of every kind of name and type, an explanation has the very answer that clients get, or is open where they would wait.
func TestWhatIsExplainedIsServed(t *testing.T) {
	s, c := pathsServer(t)
	for _, n := range pathNames {
		for _, qtype := range pathTypes {
			for _, change := range []func(*dns.Msg){func(*dns.Msg) {}, edns(1232, true)} {
				m := new(dns.Msg).SetQuestion(n, qtype)
				change(m)
				packet := packMsg(m)
				// Twice: between the two answers of a pair a TTL may go down.
				diff := ""
				for range 2 {
					if diff = explainedAndServed(s, c, packet); diff == "" {
						break
					}
				}
				if diff != "" {
					t.Errorf("%s %s: %s", n, dns.Type(qtype), diff)
				}
			}
		}
	}
}

// explainedAndServed says what differs between a question's explanation and its answer.
func explainedAndServed(s *Server, c client, packet []byte) string {
	note := &trail{}
	explained := c
	explained.trail = note
	told, open := s.serve(packet, explained, nil)
	switch {
	case len(note.steps) == 0 || note.completed == open:
		return fmt.Sprintf("%+v", note)
	case open:
		return "" // a client's question would be on its way
	}
	if served, pending := s.serve(packet, c, nil); pending || !bytes.Equal(told, served) {
		return fmt.Sprintf("explained %x, served %x", told, served)
	}
	return ""
}

// A network that has taken a domain of the outside is told so.
func TestExplainATakenDomain(t *testing.T) {
	cfg := labs(freePort(t))
	cfg.Networks[0].Domain = "corp.example"
	cfg.Networks[0].Records = nil
	s := startServer(t, cfg, &leaseMap{})
	got := told(s.explained(Question{Network: "lab", Ask: true}, "www.corp.example", ""))
	if want := "! network lab has all of corp.example., so nobody else is asked for it"; !strings.Contains(got, want) {
		t.Errorf("no %q in:\n%s", want, got)
	}
}

func TestExplainGivesUp(t *testing.T) {
	up := startUpstream(t, func(exchange) {})
	cfg := labs(freePort(t))
	cfg.Upstreams = []UpstreamGroup{{Name: "default", Servers: []netip.AddrPort{up.addr}}}
	s := startServer(t, cfg, &leaseMap{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Explain(ctx, Question{Name: "www.example.org.", Type: dns.TypeA, Ask: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
