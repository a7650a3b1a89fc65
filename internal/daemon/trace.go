package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"labnet/dhcpserver"
	"labnet/internal/control"
	"labnet/leases"
)

// maxTraces bounds how many may watch at a time: each has a buffer.
const maxTraces = 16

// Trace implements control.Backend.
func (d *daemon) Trace(f control.TraceFilter) (control.Trace, error) {
	if f.Network != "" {
		if err := d.servedNetwork(f.Network); err != nil {
			return nil, err
		}
	}
	if f.Reason != "" && dhcpserver.Reason(f.Reason).Text() == "" {
		return nil, fmt.Errorf("%w: there is no reason %q; docs/operations.md and the counters of `labnet status -o json` name them", control.ErrInvalid, f.Reason)
	}
	if d.links.tracer.Watchers() >= maxTraces {
		return nil, fmt.Errorf("%w: %d watch already; end one first", control.ErrConflict, maxTraces)
	}
	return trace{d.links.tracer.Subscribe(matcher(f))}, nil
}

// servedNetwork is an error where DHCP isn't served in the network name.
func (d *daemon) servedNetwork(name string) error {
	var names []string
	for _, s := range d.links.all() {
		if names = append(names, s.cfg.Network); s.cfg.Network == name {
			return nil
		}
	}
	return fmt.Errorf("%w: DHCP is served in no network %q; it is in: %s", control.ErrInvalid, name, strings.Join(names, ", "))
}

// matcher is the filter on events; nil for one that lets everything pass.
func matcher(f control.TraceFilter) func(*dhcpserver.Event) bool {
	if f == (control.TraceFilter{}) {
		return nil
	}
	return func(e *dhcpserver.Event) bool {
		switch {
		case f.Network != "" && e.Network != f.Network:
			return false
		case f.Reason != "" && string(e.Reason) != f.Reason && !slices.Contains(e.Beside, dhcpserver.Reason(f.Reason)):
			return false
		case f.MAC != "" && !f.MAC.Match(e.HWAddr.String()):
			return false
		}
		if !f.Address.IsValid() {
			return true
		}
		for _, a := range [...]netip.Addr{e.Addr, e.Requested, e.Ciaddr} {
			if f.Address.Contains(a) {
				return true
			}
		}
		return false
	}
}

// trace is a subscription in the API's terms.
type trace struct{ sub *dhcpserver.Subscription }

func (t trace) Close() { t.sub.Close() }

func (t trace) Next(ctx context.Context) (control.TraceEvent, uint64, error) {
	e, lost, err := t.sub.Next(ctx)
	if err != nil || lost > 0 {
		return control.TraceEvent{}, lost, err
	}
	return traceEvent(e), 0, nil
}

func traceEvent(e *dhcpserver.Event) control.TraceEvent {
	out := control.TraceEvent{
		Time: e.Time.UTC(), Network: e.Network, Interface: e.Interface,
		Message: e.Message, State: e.State, From: addrPort(e.From), Broadcast: e.Broadcast,
		MAC: e.HWAddr.String(), ClientID: leases.ClientIDFromOption([]byte(e.ClientID)).String(),
		Relay: e.Relay, InUse: e.Ciaddr, Requested: e.Requested, Hostname: e.Hostname, Vendor: e.Vendor,
		Reply: e.Reply, ReplyTo: addrPort(e.To), Address: e.Addr, Name: e.Name,
		Reason: string(e.Reason), Text: e.Reason.Text(), Took: e.Took.Microseconds(), Error: e.Err,
	}
	for _, r := range e.Beside {
		out.Beside = append(out.Beside, string(r))
	}
	if e.Message != "" {
		out.XID = fmt.Sprintf("%08x", e.Xid)
	}
	return out
}

func addrPort(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
