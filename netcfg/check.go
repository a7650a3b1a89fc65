package netcfg

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Check tells what only the host can tell: overlaps with its routes (with a free subnet as remedy), a bridge of that name that isn't
// ours, an uplink that doesn't exist, missing capabilities, foreign rules that would drop. It needs no privilege, but
// without CAP_NET_ADMIN the firewall's part of it is left out, and the missing capability is one of the problems.
func (h *Host) Check(cfg Config) ([]Problem, error) {
	problems, _, err := h.Assess(cfg)
	return problems, err
}

// Assess is Check, and what is to be known about the host though nothing is wrong with it.
func (h *Host) Assess(cfg Config) ([]Problem, []Note, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, nil, err
	}
	if err := h.enter(context.Background()); err != nil {
		return nil, nil, err
	}
	defer h.leave()
	problems, err := capabilityProblems()
	if err != nil {
		return nil, nil, err
	}
	if h.ns.filter == nil {
		return append(problems, unsupported(h.ns.noFilter)), nil, nil
	}
	foreign, err := readForeign(h.ns.filter)
	switch {
	case errors.Is(err, unix.EPERM) && len(problems) > 0:
	case errors.Is(err, unix.EPERM):
		// All capabilities, but in another user namespace than this network's.
		problems = append(problems, missing("CAP_NET_ADMIN", "over this network namespace"))
	case noNftables(err):
		return append(problems, unsupported(err)), nil, nil
	case err != nil:
		return nil, nil, err
	}
	rec, err := h.record.load()
	if err != nil {
		return nil, nil, err
	}
	f, err := h.ns.observeNetwork(cfg, rec, nil)
	if err != nil {
		return nil, nil, err
	}
	problems = append(problems, hostProblems(cfg, f)...)
	around, err := h.ns.lookAround(cfg, f, foreign, h.applied != nil)
	if err != nil {
		return nil, nil, err
	}
	problems = append(problems, around.problems(cfg, f)...)
	return problems, around.notes(cfg, f, problems), nil
}

func unsupported(err error) Problem {
	return Problem{
		Fatal:   true,
		Summary: fmt.Sprintf("the kernel has no nftables, or hasn't loaded it (%v)", err),
		Remedy:  "load it by `modprobe nf_tables`, or use a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET",
	}
}

func missing(capability, why string) Problem {
	return Problem{
		Fatal:   true,
		Summary: fmt.Sprintf("the capability %s is missing %s", capability, why),
		Remedy:  "run as root, or give it to the service: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE",
	}
}

// capabilityProblems looks at the effective set of the process, capabilities(7).
func capabilityProblems() ([]Problem, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return nil, fmt.Errorf("reading the process's capabilities: %w", err)
	}
	var problems []Problem
	for _, c := range []struct {
		bit       uint
		name, why string
	}{
		{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "(bridges, addresses, firewall)"},
		{unix.CAP_NET_RAW, "CAP_NET_RAW", "(DHCP to clients without an address)"},
	} {
		if data[c.bit/32].Effective&(1<<(c.bit%32)) == 0 {
			problems = append(problems, missing(c.name, c.why))
		}
	}
	return problems, nil
}

// fatal is the problems that Apply refuses, as one error.
func fatal(problems []Problem) error {
	var errs []error
	for _, p := range problems {
		if !p.Fatal {
			continue
		}
		text := p.Summary
		if p.Network != "" {
			text = fmt.Sprintf("network %q: %s", p.Network, p.Summary)
		}
		errs = append(errs, fmt.Errorf("%s; %s", text, p.Remedy))
	}
	return errors.Join(errs...)
}

// hostProblems is what stands against a configuration in the host's links, addresses and routes. It is pure.
func hostProblems(cfg Config, f *facts) []Problem {
	problems := append(bridgeProblems(cfg, f), tapProblems(cfg, f)...)
	used := f.used(cfg)
	for _, n := range cfg.Networks {
		add := func(fatal bool, remedy, format string, args ...any) {
			problems = append(problems, Problem{Network: n.Name, Fatal: fatal, Summary: fmt.Sprintf(format, args...), Remedy: remedy})
		}
		for i, subnet := range n.reach() {
			at := slices.IndexFunc(used, func(u usage) bool { return u.prefix.Overlaps(subnet) })
			if at < 0 {
				continue
			}
			remedy := "choose a subnet that the host doesn't use"
			if addresses := n.addresses(); i < len(addresses) {
				if free, ok := freeSubnet(addresses[i], used, cfg); ok {
					remedy = fmt.Sprintf("%s is free", free)
				}
			} else {
				remedy = "the host reaches it another way already: leave out the route block, or remove what leads there"
			}
			add(true, remedy, "%s overlaps %s", subnet, used[at])
		}
		if _, ok := f.link(n.Bridge); n.Adopt && !ok {
			add(true, "make it first, or let labnet make one: leave adopt out", "there is no bridge %s to adopt", n.Bridge)
		}
		switch {
		case n.Isolated:
		case n.Uplink != "" && cfg.owns(n.Uplink):
			add(true, "name the interface that leads outside", "its uplink %s is a bridge of labnet's own", n.Uplink)
		case n.Uplink != "":
			if l, ok := f.link(n.Uplink); !ok {
				add(false, "it is used as soon as it appears", "its uplink %s doesn't exist", n.Uplink)
			} else if l.loopback {
				add(true, "name the interface that leads outside", "its uplink %s is the loopback interface", n.Uplink)
			}
		case len(cfg.uplinks(f)) == 0:
			add(false, "it is used as soon as there is one", "the host has no default route: guests reach no further than the host")
		}
		if f.defaultRouteOver(n.Bridge) {
			add(true, fmt.Sprintf("remove it: ip route del default dev %s", n.Bridge), "the host's own default route goes over its bridge %s", n.Bridge)
		}
	}
	return problems
}

// bridgeProblems are links that have the name of a bridge of ours.
func bridgeProblems(cfg Config, f *facts) []Problem {
	var problems []Problem
	for _, n := range cfg.Networks {
		l, ok := f.link(n.Bridge)
		if !ok || f.ours(l) || f.adopted(cfg, l) {
			continue
		}
		kind := l.kind
		if kind == "" {
			kind = "device"
		}
		problems = append(problems, Problem{
			Network: n.Name, Fatal: true,
			Summary: fmt.Sprintf("there is already a link %s (%s) that isn't labnet's", n.Bridge, kind),
			Remedy:  bridgeRemedy(n, l),
		})
	}
	return problems
}

func (f *facts) defaultRouteOver(bridge string) bool {
	l, ok := f.link(bridge)
	return ok && slices.ContainsFunc(f.routes, func(r route) bool {
		return r.dst.Bits() == 0 && slices.Contains(r.links, l.index)
	})
}

// usage is a range of addresses that the host uses already.
type usage struct {
	prefix netip.Prefix
	what   string
	link   string
}

func (u usage) String() string {
	if u.link == "" {
		return fmt.Sprintf("the %s %s", u.what, u.prefix)
	}
	return fmt.Sprintf("the %s %s on %s", u.what, u.prefix, u.link)
}

// used are the addresses and routes that aren't of our bridges. A route to nearly everything, as VPNs make them, is a default
// route by another name.
func (f *facts) used(cfg Config) []usage {
	var list []usage
	foreign := func(index int) (string, bool) {
		for _, l := range f.links {
			if l.index == index {
				return l.name, !(f.ours(l) || (cfg.owns(l.name) && l.kind == "bridge"))
			}
		}
		return "", true
	}
	for _, a := range f.addresses {
		if name, ok := foreign(a.link); ok && a.prefix.Addr().Is4() {
			list = append(list, usage{a.prefix, "address", name})
		}
	}
	const nearlyEverything = 7
	for _, r := range f.routes {
		if r.dst.Bits() <= nearlyEverything {
			continue
		}
		names, theirs := []string{}, len(r.links) == 0
		for _, index := range r.links {
			if name, ok := foreign(index); ok {
				names, theirs = append(names, name), true
			}
		}
		if theirs {
			list = append(list, usage{r.dst, "route to", strings.Join(names, ", ")})
		}
	}
	return list
}

// freeSubnet looks for a subnet of the same size in the private ranges (RFC 1918 section 3), with the host's place in it kept.
func freeSubnet(address netip.Prefix, used []usage, cfg Config) (netip.Prefix, bool) {
	host := address.Addr().As4()
	mask := ^uint32(0) >> address.Bits()
	part := big32(host[:]) & mask
	for _, private := range []string{"10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"} {
		space := netip.MustParsePrefix(private)
		if address.Bits() < space.Bits() {
			continue
		}
		base := space.Addr().As4()
		// Small subnets are tried 256 addresses apart: tidier to read, and quick.
		step := max(uint64(mask)+1, 256)
		for at := uint64(0); at < 1<<(32-space.Bits()); at += step {
			candidate := netip.PrefixFrom(addr4(big32(base[:])+uint32(at)|part), address.Bits())
			if !slices.ContainsFunc(used, func(u usage) bool { return u.prefix.Overlaps(candidate) }) &&
				!slices.ContainsFunc(cfg.Networks, func(n Network) bool { return slices.ContainsFunc(n.reach(), candidate.Overlaps) }) {
				return candidate, true
			}
		}
	}
	return netip.Prefix{}, false
}

func addr4(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}
