package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"labnet/dnsserver"
	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
)

// What is no lease's, such as a record, comes with a reload only, which nobody is told of: it is looked for so often.
const waitAgain = 500 * time.Millisecond

// askTime is how long the DNS server, which is ourselves, may take.
const askTime = time.Second

const dnsPort = 53

// WaitLease implements control.Backend.
func (d *daemon) WaitLease(ctx context.Context, q control.WaitQuery) (control.WaitResult, error) {
	w, err := d.newWait(q)
	if err != nil {
		return control.WaitResult{}, err
	}
	for {
		// Events first: what comes after them is not missed.
		events := d.table.Events(d.table.LastEvent())
		w.find()
		for changed := false; !changed; {
			result := w.result(ctx)
			if result.Done || ctx.Err() != nil {
				return result, nil
			}
			changed = w.pause(ctx, events)
		}
	}
}

// wait is what somebody waits for.
type wait struct {
	d        *daemon
	q        control.WaitQuery
	addr     netip.Addr // the key, if it is one
	mac      string     // the key as lists have MACs, if it is one
	label    string     // the key as a name in a domain, if it is neither
	networks []config.Network
	lease    *control.Lease // in force, as it was found last; nil: none
}

func (d *daemon) newWait(q control.WaitQuery) (*wait, error) {
	w := &wait{d: d, q: q}
	var names []string
	for _, n := range d.config().Networks {
		if names = append(names, n.Name); q.Network == "" || q.Network == n.Name {
			w.networks = append(w.networks, n)
		}
	}
	if len(w.networks) == 0 {
		return nil, fmt.Errorf("%w: there is no network %q; there is: %s", control.ErrNotFound, q.Network, strings.Join(names, ", "))
	}
	var err error
	if w.addr, err = netip.ParseAddr(q.Key); err == nil {
		return w, nil
	}
	switch mac, err := net.ParseMAC(q.Key); {
	case err == nil:
		w.mac = mac.String()
		return w, nil
	case strings.Contains(q.Key, ":"): // of a length that Ethernet's don't have
		w.mac = strings.ToLower(q.Key)
		return w, nil
	}
	return w, w.readName(strings.TrimSuffix(strings.ToLower(q.Key), "."))
}

// readName takes the key for a name: a label, or one with its network's domain. A record's may be further below that.
func (w *wait) readName(name string) error {
	if w.label = name; !strings.Contains(name, ".") {
		return nil
	}
	var in []config.Network // the one whose domain is nearest
	for _, n := range w.networks {
		if rest, ok := strings.CutSuffix(name, "."+n.DNS.Domain); ok && len(rest) < len(w.label) {
			w.label, in = rest, []config.Network{n}
		}
	}
	switch {
	case in == nil:
		return fmt.Errorf("%w: %q is a name in no network's domain", control.ErrInvalid, w.q.Key)
	case w.q.For != control.WaitDNS && strings.Contains(w.label, "."):
		return fmt.Errorf("%w: %q is no guest's name, which stands right in a domain; wait for a record's with --for dns", control.ErrInvalid, w.q.Key)
	}
	w.networks = in
	return nil
}

// means reports whether l is the lease of the key, if it is in force.
func (w *wait) means(l *leases.Lease) bool {
	switch {
	case !w.serves(l.Network):
		return false
	case w.addr.IsValid():
		return l.Addr == w.addr
	}
	return l.Name != "" && l.Name == w.label || w.mac != "" && l.HWAddr.String() == w.mac
}

func (w *wait) serves(network string) bool {
	for i := range w.networks {
		if w.networks[i].Name == network {
			return true
		}
	}
	return false
}

// find looks for the lease.
func (w *wait) find() {
	w.lease = nil
	for l := range w.d.table.Snapshot(w.q.Network).All() {
		if l.State == leases.Bound && w.means(&l) {
			shown := controlLease(l)
			w.lease = &shown
			return
		}
	}
}

// pause waits for something that may be what is waited for, and says whether the lease is to be looked for again.
func (w *wait) pause(ctx context.Context, events *leases.Events) (changed bool) {
	if w.q.For == control.WaitDNS {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, waitAgain)
		defer cancel()
	}
	for {
		switch e, err := events.Next(ctx); {
		case err != nil:
			return errors.Is(err, leases.ErrEventsLost)
		case w.means(&e.Lease) || e.Before.Addr.IsValid() && w.means(&e.Before):
			return true
		}
	}
}

// result says whether it is there.
func (w *wait) result(ctx context.Context) control.WaitResult {
	result := control.WaitResult{Lease: w.lease}
	switch {
	case w.q.For == control.WaitDNS:
		w.resolve(ctx, &result)
	case w.lease != nil:
		result.Done = true
	case ctx.Err() != nil:
		result.Obstacle = w.noLease()
	}
	return result
}

// resolve asks the DNS server for the name, as a guest does.
func (w *wait) resolve(ctx context.Context, result *control.WaitResult) {
	label := w.label
	switch l := result.Lease; {
	case l != nil && l.Name == "":
		result.Obstacle = fmt.Sprintf("%s has a lease, %s, but no name; `labnet explain dhcp %s` says why", w.q.Key, l.Address, l.MAC)
		return
	case l != nil:
		label = l.Name
	case w.label == "":
		if ctx.Err() != nil {
			result.Obstacle = w.noLease()
		}
		return
	}
	asked := false
	for _, n := range w.networks {
		if !n.DNS.Enabled || result.Lease != nil && result.Lease.Network != n.Name {
			continue
		}
		asked = true
		name := label + "." + n.DNS.Domain
		askCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
		found, err := dnsserver.Ask(askCtx, netip.AddrPortFrom(n.Address.Addr(), dnsPort), name)
		cancel()
		if err == nil {
			result.Done, result.Name, result.Addresses, result.Obstacle = true, name, found, ""
			return
		}
		result.Obstacle = err.Error()
	}
	switch {
	case !asked:
		result.Obstacle = "the network serves no DNS"
	case result.Lease == nil && ctx.Err() != nil:
		result.Obstacle += ": " + w.noLease()
	}
}

// noLease says why there is none, as far as that can be seen.
func (w *wait) noLease() string {
	for l := range w.d.table.Snapshot(w.q.Network).All() {
		asked, ok := leases.CleanName(l.RequestedName)
		if l.State == leases.Bound && ok && asked == w.label && w.serves(l.Network) {
			return fmt.Sprintf("%v (%v) asks for this name and doesn't get it; `labnet explain dhcp %v` says why", l.Addr, l.HWAddr, l.HWAddr)
		}
	}
	return fmt.Sprintf("no lease in force has the name, address or MAC %q", w.q.Key)
}
