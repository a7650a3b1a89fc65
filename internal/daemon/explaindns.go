package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"labnet/dnsserver"
	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
)

// ExplainDNS implements control.Backend. The DNS server says how it decides; who has a name, or had it, is added here.
func (d *daemon) ExplainDNS(ctx context.Context, q control.DNSQuery) ([]control.DNSExplanation, error) {
	if err := d.servedDNS(q.Network); err != nil {
		return nil, err
	}
	name, qtype, err := dnsserver.ParseQuestion(q.Name, q.Type)
	if err != nil {
		return nil, dnsProblem(err)
	}
	found, err := d.dns.Explain(ctx, dnsserver.Question{
		Name: name, Type: qtype, DNSSEC: q.DNSSEC, Client: q.From.Unmap().WithZone(""), Network: q.Network, Ask: q.Ask,
	})
	if err != nil {
		return nil, dnsProblem(err)
	}
	var out []control.DNSExplanation
	for _, e := range found {
		out = append(out, d.dnsExplanation(&e))
	}
	return out, nil
}

func (d *daemon) dnsExplanation(e *dnsserver.Explanation) control.DNSExplanation {
	out := control.DNSExplanation{
		Network: e.Network, Client: e.Client, Name: e.Name, Type: e.Type, Open: e.Open, Reason: e.Reason, Text: e.Text, Rcode: e.Rcode,
		Authoritative: e.Authoritative, Authenticated: e.Authenticated, Answer: e.Answer, Authority: e.Authority, Extended: e.Extended,
		Upstream: e.Group, Server: addrPort(e.Server), Took: e.Took.Microseconds(), Steps: []control.DNSStep{},
	}
	for i := range e.Steps {
		step, remedy := d.dnsStep(&e.Steps[i])
		out.Steps = append(out.Steps, step)
		if remedy != "" {
			out.Remedies = append(out.Remedies, remedy)
		}
	}
	out.Remedies = append(out.Remedies, e.Remedies...)
	return out
}

func (d *daemon) dnsStep(s *dnsserver.Step) (out control.DNSStep, remedy string) {
	out = control.DNSStep{
		Stage: s.Stage, Name: s.Name, Says: s.Says, Reason: s.Reason, Network: s.Network, Zone: s.Zone, Group: s.Group, After: s.After.Microseconds(),
	}
	for _, u := range s.Upstream {
		out.Servers = append(out.Servers, control.Upstream{Group: u.Group, Server: u.Addr.String(), Healthy: !u.Down, RTT: rtt(u.RTT)})
	}
	if c := s.Cached; c != nil {
		out.Cached = &control.DNSCached{Kind: c.Kind, Age: int64(c.Age / time.Second), Left: int64(c.Left / time.Second), Authenticated: c.Authenticated}
	}
	switch s.Reason {
	case "local_host":
		if h := d.hostOf(s); h != nil {
			out.Host = h.Name
		}
	case "local_lease":
		out.Lease = d.leaseOf(s, true)
	case "nxdomain_local", "nodata_local":
		out.Lease, out.Host, remedy = d.missing(s)
	}
	return out, remedy
}

// hostOf returns the host block whose name, alias or address a step is about.
func (d *daemon) hostOf(s *dnsserver.Step) *config.Host {
	for _, n := range d.config().Networks {
		for i := range n.Hosts {
			h := &n.Hosts[i]
			named := n.Name == s.Network && s.Label != "" && (h.Name == s.Label || slices.Contains(h.Aliases, s.Label))
			if named || s.Addr.IsValid() && h.Address == s.Addr {
				return h
			}
		}
	}
	return nil
}

// leaseOf returns the lease whose name or address a step is about: one in force, or else the one that was heard of last.
func (d *daemon) leaseOf(s *dnsserver.Step, inForce bool) *control.Lease {
	var last *leases.Lease
	for l := range d.table.Snapshot("").All() {
		if !isAbout(&l, s.Network, s.Label, s.Addr) || inForce && l.State != leases.Bound {
			continue
		}
		if inForce && !s.Addr.IsValid() && l.Name != s.Label {
			continue // one that wants the name, and doesn't have it
		}
		if last == nil || last.LastSeen.Before(l.LastSeen) {
			last = &l
		}
	}
	if last == nil {
		return nil
	}
	return leaseOrNil(*last)
}

// isAbout tells whether a lease has, had or wants a name in a network, or has or had an address.
func isAbout(l *leases.Lease, network, label string, addr netip.Addr) bool {
	if addr.IsValid() {
		return l.Addr == addr
	}
	if l.Network != network || label == "" {
		return false
	}
	asked, _ := leases.CleanName(l.RequestedName)
	return l.Name == label || l.Name == "" && asked == label
}

// renamed returns the lease of a guest that calls itself by a name and has another one.
func (d *daemon) renamed(s *dnsserver.Step) *control.Lease {
	if s.Label == "" || s.Addr.IsValid() {
		return nil
	}
	for l := range d.table.Snapshot("").All() {
		if isRenamed(&l, s.Network, s.Label) {
			return leaseOrNil(l)
		}
	}
	return nil
}

// isRenamed tells whether a lease in force of a network has another name than label, which its guest asked for.
func isRenamed(l *leases.Lease, network, label string) bool {
	asked, _ := leases.CleanName(l.RequestedName)
	return l.Network == network && l.State == leases.Bound && l.Name != "" && l.Name != label && asked == label
}

// missing says who could have the name, or the address, that a step didn't find.
func (d *daemon) missing(s *dnsserver.Step) (lease *control.Lease, host, remedy string) {
	if h := d.hostOf(s); h != nil && !h.Address.IsValid() && s.Reason == "nxdomain_local" {
		return nil, h.Name, fmt.Sprintf("the host block %q has no `address`: it has the name only while its guest has a lease; give it one, or look at `labnet explain dhcp`", h.Name)
	}
	lease = d.leaseOf(s, false)
	if lease == nil && s.Reason == "nxdomain_local" {
		if l := d.renamed(s); l != nil {
			return l, "", fmt.Sprintf("the guest at %s calls itself so, and has the name %s: `labnet explain dhcp %s` says by what", l.Address, l.Name, l.Address)
		}
	}
	switch {
	case lease == nil || s.Reason != "nxdomain_local":
		return nil, "", ""
	case lease.State != string(leases.Bound):
		remedy = fmt.Sprintf("the lease of %s is over (%s), and the name with it: the guest has it again when it asks for an address", lease.Address, lease.State)
	case lease.Name == "":
		remedy = fmt.Sprintf("the guest at %s asks for a name and has none: `labnet explain dhcp %s` says why", lease.Address, lease.Address)
	default:
		return nil, "", ""
	}
	return lease, "", remedy
}
