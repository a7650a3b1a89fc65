package dnsserver

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// remedies says what may be done about an answer, the likeliest first; nothing about those that are as they should be.
func (snap *snapshot) remedies(e *Explanation, t *trail, n name, qtype uint16) []string {
	if t.why == refusedClient {
		return []string{fmt.Sprintf("guests of network %s have addresses of its subnet; let others ask by `clients` in its `dns` block", e.Network)}
	}
	switch t.why {
	case noUpstream:
		return []string{"name a server in `resolver`, or where the host's own are followed, see that its /etc/resolv.conf has one beside this server"}
	case upstreamTimeout, upstreamFailure:
		return t.askDirectly(qtype)
	case cacheFailure:
		return append(t.askDirectly(qtype), "a failure is remembered for some seconds; `labnet cache flush` forgets it at once")
	case blocked:
		return []string{fmt.Sprintf("to let it through, name %s in `allow` of the resolver's `block`", strings.TrimSuffix(cmp.Or(t.barred, n).String(), "."))}
	case rebind:
		return []string{"if its owner may name addresses in here, name its domain in `rebind_allow` of the resolver"}
	case chainTooLong:
		return []string{"the records point to each other, or to too many others: shorten the chain of CNAMEs above"}
	case busy:
		return []string{"too many questions wait for upstreams that don't answer; `labnet status` says which, `labnet trace dns` who asks"}
	case limited:
		return []string{"the client asks for too many names that don't exist, or that nobody knows: `labnet trace dns` shows which"}
	case localNXDomain, localNoData:
		return snap.absent(e, n, qtype)
	}
	return nil
}

// askDirectly is how to see what an upstream itself says.
func (t *trail) askDirectly(qtype uint16) []string {
	if t.group == nil {
		return nil
	}
	last := t.steps[len(t.steps)-1]
	servers, _ := ranked(t.group.servers)
	if len(servers) == 0 {
		return nil
	}
	at := servers[0].addr
	return []string{fmt.Sprintf("ask the upstream itself on this host: dig -p %d @%s %s %s; if that has an answer, the log has more",
		at.Port(), at.Addr(), quoted(last.Name), dns.Type(qtype))}
}

// quoted is a name for a shell: clients choose names.
func quoted(n string) string {
	if strings.ContainsFunc(n, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
	}) {
		return "'" + strings.ReplaceAll(n, "'", `'\''`) + "'"
	}
	return n
}

// absent says where else a name is that isn't where it was looked for.
func (snap *snapshot) absent(e *Explanation, n name, qtype uint16) []string {
	var all []string
	single := n.single() && (qtype == dns.TypeA || qtype == dns.TypeAAAA)
	if single || n != root && snap.zoneOf(n) != nil && snap.zoneOf(n).origin == n.parent() {
		all = snap.elsewhere(n)
	}
	if single {
		all = append(all, "a single label is looked for in the network's own domain only, and upstreams are never asked for it")
	}
	if z := snap.zoneOf(n); z != nil && z.ranges == nil && !z.origin.single() && !slices.ContainsFunc(privateUse, z.origin.under) {
		all = append(all, fmt.Sprintf("network %s has all of %s, so nobody else is asked for it: with another domain, such as lab.internal, others are",
			z.leases.network, z.origin))
	}
	return all
}

// elsewhere names the networks that have the name's first label in their domains.
func (snap *snapshot) elsewhere(n name) []string {
	var all []string
	for _, at := range snap.viewsOf(&Question{}) {
		v := snap.views[at]
		full, ok := v.domain.child(n.label())
		if !ok || full == n {
			continue
		}
		if here, exists := v.zone.at(full, time.Now()); exists && len(here) > 0 {
			all = append(all, fmt.Sprintf("network %s has the name: ask for %s", v.network, full))
		}
	}
	return all
}

// privateUse is domains that mean nothing outside, by RFC or by custom.
var privateUse = []name{"\x08internal\x00", "\x04test\x00", "\x04home\x04arpa\x00", "\x05local\x00", "\x03lan\x00", "\x04home\x00", "\x04corp\x00"}
