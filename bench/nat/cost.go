package main

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"time"

	"labnet/bench/stage"
)

// cost is what one packet of a kind takes from one end to the other, by both routers.
type cost struct {
	title         string
	plain, labnet []time.Duration // of bursts, one after the other
}

// kind is packets that are measured, and which end sends them.
type kind struct {
	title  string
	lan    bool
	of     func(i int) packet
	bursts int // in a round
}

// Few enough at once for the guest to stay a usual one.
var first = kind{"the first of a connection", false, opening, 8}

var usual = []kind{
	first,
	{"of an established connection, from the guest", false, out, 32},
	{"of an established connection, to the guest", true, in, 32},
	{"a datagram that nobody answers", false, unanswered, 32},
}

// lane is a bed with its ends, neither of which takes what arrives: what is measured is the way there.
type lane struct {
	*bed
	fromGuest, fromLAN *sender
}

// measureCosts sends bursts through both routers by turns on one CPU, so that whatever changes the machine's speed changes both alike. After it
// no program reaches another through the beds.
func (b *bench) measureCosts(ctx context.Context, plain, labnet *bed) error {
	runtime.LockOSThread() // and the thread ends with the goroutine: it is pinned
	if err := stage.Pin(b.opts.cpus[len(b.opts.cpus)-1:]); err != nil {
		return err
	}
	lanes := make([]lane, 0, 2)
	for _, bed := range []*bed{plain, labnet} {
		l, err := bed.lane()
		if err != nil {
			return fmt.Errorf("%s: %w", bed.title, err)
		}
		defer l.close()
		lanes = append(lanes, l)
	}
	if err := b.rounds(ctx, lanes, usual); err != nil {
		return err
	}
	// Whose connections labnet counts one by one.
	if _, err := labnet.onRouter("nft", fmt.Sprintf("add element inet labnet heavy { %s }", guestIP)); err != nil {
		return err
	}
	counted := first
	counted.title = "the first of a guest that had thousands at once"
	return b.rounds(ctx, lanes, []kind{counted})
}

func (b *bench) rounds(ctx context.Context, lanes []lane, kinds []kind) error {
	costs := make([]cost, len(kinds))
	for round := range b.opts.rounds {
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, l := range lanes {
			if err := l.connect(); err != nil {
				return fmt.Errorf("%s: %w", l.title, err)
			}
		}
		for k, kind := range kinds {
			c := &costs[k]
			c.title = kind.title
			for i := range kind.bursts {
				for turn := range lanes {
					which := (turn + i + round) % len(lanes)
					sender, into := lanes[which].fromGuest, &c.plain
					if kind.lan {
						sender = lanes[which].fromLAN
					}
					if which == 1 {
						into = &c.labnet
					}
					took, err := sender.send(kind.of, i*burst)
					if err != nil {
						return err
					}
					*into = append(*into, took)
				}
			}
		}
	}
	b.costs = append(b.costs, costs...)
	return nil
}

// lane makes the bed's ends deaf, and has the router know them without asking.
func (b *bed) lane() (l lane, err error) {
	address := func(namespace, link string) (net.HardwareAddr, error) {
		out, err := output(namespace, "cat", "/sys/class/net/"+link+"/address")
		if err != nil {
			return nil, err
		}
		return net.ParseMAC(strings.TrimSpace(out))
	}
	var macs [4]net.HardwareAddr
	for i, at := range [][2]string{{b.guest, "eth0"}, {b.lan, "eth0"}, {b.router, "br0"}, {b.router, "eth0"}} {
		if macs[i], err = address(at[0], at[1]); err != nil {
			return l, err
		}
	}
	for _, args := range [][]string{
		{b.router, "ip", "neighbour", "replace", guestIP.String(), "lladdr", macs[0].String(), "dev", "br0", "nud", "permanent"},
		{b.router, "ip", "neighbour", "replace", lanIP.String(), "lladdr", macs[1].String(), "dev", "eth0", "nud", "permanent"},
		{b.guest, "nft", "add table netdev deaf; add chain netdev deaf in { type filter hook ingress device eth0 priority 0; policy drop; }"},
		{b.lan, "nft", "add table netdev deaf; add chain netdev deaf in { type filter hook ingress device eth0 priority 0; policy drop; }"},
	} {
		if _, err := output(args[0], args[1:]...); err != nil {
			return l, err
		}
	}
	l.bed = b
	if l.fromGuest, err = newSender(b.guest, macs[2]); err != nil {
		return l, err
	}
	if l.fromLAN, err = newSender(b.lan, macs[3]); err != nil {
		l.fromGuest.close()
	}
	return l, err
}

func (l lane) close() {
	l.fromGuest.close()
	l.fromLAN.close()
}

// connect forgets what the router tracks, and establishes the flows.
func (l lane) connect() error {
	if _, err := l.onRouter("conntrack", "-F"); err != nil {
		return err
	}
	for _, step := range []struct {
		sender *sender
		kind   func(i int) packet
	}{{l.fromGuest, syn}, {l.fromLAN, synACK}, {l.fromGuest, out}} {
		for i := 0; i < flows; i += burst {
			if _, err := step.sender.send(step.kind, i); err != nil {
				return err
			}
		}
	}
	// What isn't translated and tracked would be measured on a shorter way.
	tracked, err := l.onRouter("conntrack", "-L", "-p", "tcp", "--state", "ESTABLISHED", "--orig-dst", lanAddr, "--reply-dst", routerIP.String())
	if n := strings.Count(tracked, "\n"); err == nil && n != flows {
		err = fmt.Errorf("%d of %d connections are established", n, flows)
	}
	return err
}

// row is the medians in nanoseconds, and that of the ratios of bursts that followed one another.
func (c cost) row() []string {
	ratios := make([]float64, len(c.plain))
	for i := range c.plain {
		ratios[i] = float64(c.labnet[i]) / float64(c.plain[i])
	}
	slices.Sort(ratios)
	return []string{
		c.title, fmt.Sprint(middle(c.plain).Nanoseconds()), fmt.Sprint(middle(c.labnet).Nanoseconds()),
		fmt.Sprintf("%.3f (%.3f to %.3f)", ratios[len(ratios)/2], ratios[len(ratios)/4], ratios[len(ratios)*3/4]), "",
	}
}

func middle(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}
