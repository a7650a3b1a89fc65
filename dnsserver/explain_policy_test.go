package dnsserver

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExplainPolicy(t *testing.T) {
	up := startUpstream(t, cloaks)
	cfg := withUpstreams(t, up.addr)
	hosts, domains := listFile(t, "0.0.0.0 ads.example x.tracker.example\n"), listFile(t, "# all of it\n||tracker.example^\n@@||good.tracker.example^\n")
	cfg.Block = Block{Files: []string{hosts, domains}, Allow: []string{"fine.shop.example"}}
	s := startServer(t, cfg, testLeases())
	for _, test := range []struct{ name, text, want string }{
		{"by a line of hosts", "ads.example", `
			local ads.example.: not a name of this host
			policy ads.example.: ads.example. is on a block list; HOSTS:1: "0.0.0.0 ads.example x.tracker.example" (blocked)
			= blocked NXDOMAIN [Blocked: on a block list]
			! to let it through, name ads.example in ` + "`allow` of the resolver's `block`"},
		{"twice", "x.tracker.example", `
			local x.tracker.example.: not a name of this host
			policy x.tracker.example.: x.tracker.example. is on a block list; HOSTS:1: "0.0.0.0 ads.example x.tracker.example"; DOMAINS:2: "||tracker.example^" (blocked)
			= blocked NXDOMAIN [Blocked: on a block list]
			! to let it through, name x.tracker.example in ` + "`allow` of the resolver's `block`"},
		{"an exception", "a.good.tracker.example", `
			local a.good.tracker.example.: not a name of this host
			policy a.good.tracker.example.: an exception from the block lists lets it through, wherever it leads
			cache a.good.tracker.example.: no answer is kept
			upstream a.good.tracker.example.: asked: 127.0.0.1_ of the upstreams "default"
			upstream a.good.tracker.example.: 127.0.0.1_ says NOERROR (forwarded)
			= forwarded NOERROR; a.good.tracker.example. 300 A 192.0.2.80`},
		{"an alias that leads there", "metrics.shop.example", `
			local metrics.shop.example.: not a name of this host
			policy metrics.shop.example.: on no block list
			cache metrics.shop.example.: no answer is kept
			upstream metrics.shop.example.: asked: 127.0.0.1_ of the upstreams "default"
			upstream metrics.shop.example.: 127.0.0.1_ says NOERROR (forwarded)
			policy metrics.shop.example.: shop.tracker.example. is on a block list; DOMAINS:2: "||tracker.example^" (blocked)
			= blocked NXDOMAIN [Blocked: on a block list]
			! to let it through, name shop.tracker.example in ` + "`allow` of the resolver's `block`"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := s.Stats()
			got := told(s.explained(Question{Client: netip.MustParseAddr("127.10.0.57"), Ask: true}, test.text, ""))
			_, got, _ = strings.Cut(got, "\n") // the client
			got = strings.NewReplacer(hosts, "HOSTS", domains, "DOMAINS").Replace(got)
			want := strings.ReplaceAll(strings.TrimSpace(test.want), "\n\t\t\t", "\n")
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(before, s.Stats()); diff != "" {
				t.Errorf("it was counted: %s", diff)
			}
		})
	}
}
