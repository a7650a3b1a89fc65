package dnsserver

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// trail notes how a question is decided, while serve decides it. A nil one notes nothing, and is what clients' questions have. At any time it is
// one goroutine's.
type trail struct {
	ask   bool // of upstreams what isn't known
	steps []Step

	barred    name // what a block list has
	why       reason
	rcode     int
	group     *group
	by        *upstream
	completed bool // the decision is made: why, rcode and reply hold
}

// note adds a step about the name that the question has come to.
func (t *trail) note(l *lookup, s Step) {
	s.After = time.Since(l.began)
	if s.Name == "" {
		s.Name = l.target.String()
	}
	t.steps = append(t.steps, s)
}

func (t *trail) admission(l *lookup, a admission) {
	if t == nil {
		return
	}
	who, says := l.client.addr.Addr(), ""
	switch {
	case a == refused:
		says = fmt.Sprintf("%s may not ask in network %s: it is not of %s", who, l.view.network, l.view.subnet)
		t.note(l, Step{Stage: stageClient, Says: says, Network: l.view.network, Reason: refusedClient.String()})
		return
	case a == ofHost || l.snap.gateways[who.Unmap().WithZone("")]:
		says = fmt.Sprintf("%s is this host", who)
	case a == ofSubnet:
		says = fmt.Sprintf("%s is of network %s, %s", who, l.view.network, l.view.subnetOf(who.Unmap().WithZone("")))
	case a == configured:
		says = fmt.Sprintf("%s is of the other clients of network %s", who, l.view.network)
	}
	t.note(l, Step{Stage: stageClient, Says: says + ": it may ask", Network: l.view.network})
}

// local notes what is known here. A nil trail isn't asked: f is large.
func (t *trail) local(l *lookup, f found, lan bool, now time.Time) {
	s := Step{Stage: stageLocal}
	var where string
	if f.zone != nil && f.zone != l.snap.overrides && f.why != specialName {
		s.Zone, s.Network = f.zone.origin.String(), strings.Join(f.zone.networks(), ", ")
		where = fmt.Sprintf("in the zone %s of network %s", s.Zone, s.Network)
		if full := cmp.Or(f.full, l.target); f.zone.leases != nil && full != root && full.parent() == f.zone.origin {
			s.Label = full.label()
		} else if covered, whole := reversePrefix(full); whole && covered.IsSingleIP() {
			s.Addr = covered.Addr()
		}
	}
	var parts []string
	if f.full != "" {
		parts = append(parts, "a single label stands for "+f.full.String())
	}
	switch f.status {
	case notOurs:
		parts = append(parts, l.snap.nobodys(l.target, lan))
	case answered:
		s.Reason = f.why.String()
		says := f.why.text()
		if f.star {
			says += ", by a wildcard"
		}
		if f.why == localFile {
			says += ", " + l.snap.hosts.lines(cmp.Or(f.full, l.target)) + ","
		}
		parts = append(parts, strings.TrimSuffix(strings.TrimSpace(says+" "+where), ","))
	case noData:
		s.Reason = f.why.String()
		says := f.why.text()
		if types := f.zone.types(cmp.Or(f.full, l.target), now); len(types) > 0 {
			says = fmt.Sprintf("the name is there, without %s: it has %s,", dns.Type(l.qtype), strings.Join(types, " "))
		}
		parts = append(parts, strings.TrimSuffix(strings.TrimSpace(says+" "+where), ","))
	case nxDomain:
		s.Reason = f.why.String()
		says := f.why.text()
		if f.why == localNXDomain {
			says = "no lease, host or record has the name"
			if len(l.snap.hosts) > 0 {
				says = "no lease, host, record or hosts file has the name"
			}
		}
		parts = append(parts, strings.TrimSpace(says+" "+where))
	}
	if f.next != "" {
		parts = append(parts, "an alias of "+f.next.String())
	}
	s.Says = strings.Join(parts, "; ")
	t.note(l, s)
}

// networks is whose zone it is.
func (z *zone) networks() []string {
	if z.leases != nil {
		return []string{z.leases.network}
	}
	var all []string
	for _, r := range z.ranges {
		if !slices.Contains(all, r.leases.network) {
			all = append(all, r.leases.network)
		}
	}
	return all
}

// types is what a name has.
func (z *zone) types(n name, now time.Time) []string {
	here, exists := z.at(n, now)
	if !exists {
		here = z.wildcard(n, now)
	}
	var all []string
	for _, t := range slices.Sorted(maps.Keys(here)) {
		all = append(all, dns.Type(t).String())
	}
	return all
}

// nobodys says why a name is left to upstreams.
func (snap *snapshot) nobodys(n name, lan bool) string {
	_, special := snap.specialOf(n)
	switch {
	case lan:
		return "a special-use name, of which only upstreams on private addresses are asked"
	case special && snap.configured(n):
		return "a special-use name, for which an upstream is configured"
	case snap.zoneOf(n) != nil:
		return "in a range of addresses that is only partly this host's, outside its part"
	}
	return "not a name of this host"
}

// lonely notes that there is nobody to ask.
func (t *trail) lonely(l *lookup, a *asked) {
	if t == nil {
		return
	}
	s := Step{Stage: stageUpstream, Reason: noUpstream.String(), Says: "no upstream is configured for the name"}
	if a.group != nil {
		s.Group = a.group.name
		s.Says = fmt.Sprintf("the upstreams %q have no server", a.group.name)
		if a.lan {
			s.Says += " on a private address"
		}
	}
	t.note(l, s)
}

// cache notes what the cache has: e, or nil.
func (t *trail) cache(l *lookup, a *asked, e *entry, now moment) {
	if t == nil {
		return
	}
	s := Step{Stage: stageCache, Group: a.group.name, Says: "no answer is kept"}
	if e != nil {
		c := cachedAnswer(e, now)
		s.Cached, s.Says = c, c.says()
		if c.Left > 0 {
			s.Reason = e.kind().String()
		}
		if e.onwardSize > 0 {
			s.Says += "; an alias that leads to " + e.onward().String()
		}
	}
	t.note(l, s)
}

// forward notes who would be asked, and tells whether they shall be.
func (t *trail) forward(l *lookup, a *asked, now time.Time) bool {
	if t == nil {
		return true
	}
	s := Step{Stage: stageUpstream, Group: a.group.name, Says: "would be asked: "}
	if t.ask {
		s.Says = "asked: "
	}
	var servers []string
	order, _ := ranked(a.group.askable(a.lan))
	for _, u := range order {
		status := u.status()
		status.Group = a.group.name
		s.Upstream = append(s.Upstream, status)
		one := plainPort(u.addr)
		if status.Down {
			one += " (not answering)"
		}
		servers = append(servers, one)
	}
	s.Says += fmt.Sprintf("%s of the upstreams %q", strings.Join(servers, ", then "), a.group.name)
	t.note(l, s)
	return t.ask
}

// landed notes what came of asking.
func (t *trail) landed(l *lookup, p *packed) {
	if t == nil {
		return
	}
	says := p.why.text()
	if l.by != nil {
		says = fmt.Sprintf("%s says %s", plainPort(l.by.addr), dns.RcodeToString[int(p.rcode)])
	}
	if p.negative && p.rcode == dns.RcodeSuccess {
		says += ", without such a record"
	}
	if p.onward != "" {
		says += "; an alias that leads to " + p.onward.String()
	}
	s := Step{Stage: stageUpstream, Says: says, Reason: p.why.String()}
	if l.group != nil {
		s.Group = l.group.name
	}
	t.note(l, s)
}

// decided takes the decision.
func (t *trail) decided(l *lookup, rcode int) {
	t.why, t.rcode, t.group, t.by, t.completed = l.why, rcode, l.group, l.by, true
}
