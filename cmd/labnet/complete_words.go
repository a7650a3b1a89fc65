package main

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/config"
	"labnet/internal/control"
)

// networkNames is the networks.
func networkNames(ctx context.Context, s source) []cobra.Completion {
	var words []cobra.Completion
	if status, err := s.client.Status(ctx); err == nil {
		for _, n := range status.Networks {
			words = append(words, word(n.Name, networkMeaning(n.Mode, n.Address)))
		}
		return words
	}
	for _, n := range s.networks() {
		words = append(words, word(n.Name, networkMeaning(n.Mode, n.Address)))
	}
	return words
}

func networkMeaning(mode string, address netip.Prefix) string {
	if !address.IsValid() {
		return mode
	}
	return mode + ", " + address.String()
}

func (s source) networks() []config.Network {
	if s.config == nil {
		return nil
	}
	return s.config.Networks
}

// reasonCodes is every reason of DHCP: the counters have them all.
func reasonCodes(ctx context.Context, s source) []cobra.Completion {
	status, _ := s.client.Status(ctx)
	var words []cobra.Completion
	for _, n := range status.Networks {
		words = append(words, counted(n.DHCP)...)
	}
	return words
}

// dnsReasonCodes is every reason of DNS.
func dnsReasonCodes(ctx context.Context, s source) []cobra.Completion {
	status, _ := s.client.Status(ctx)
	return counted(status.DNS)
}

func counted(counters control.Counters) []cobra.Completion {
	var words []cobra.Completion
	for reason, n := range counters {
		meaning := ""
		if n > 0 {
			meaning = strconv.FormatUint(n, 10) + " times"
		}
		words = append(words, word(reason, meaning))
	}
	return words
}

// leasedMACs is the MACs that have or had a lease, and those of host blocks.
func leasedMACs(ctx context.Context, s source) []cobra.Completion {
	return s.guestWords(ctx, func(g knownGuest) []cobra.Completion { return []cobra.Completion{word(g.mac, cmp.Or(g.name, g.addr))} })
}

func leasedAddresses(ctx context.Context, s source) []cobra.Completion {
	return s.guestWords(ctx, func(g knownGuest) []cobra.Completion { return []cobra.Completion{word(g.addr, cmp.Or(g.name, g.mac))} })
}

// leaseKeys is what a guest may be named by.
func leaseKeys(ctx context.Context, s source) []cobra.Completion {
	return s.guestWords(ctx, func(g knownGuest) []cobra.Completion {
		return []cobra.Completion{word(g.name, cmp.Or(g.addr, g.mac)), word(g.addr, cmp.Or(g.name, g.mac)), word(g.mac, cmp.Or(g.name, g.addr))}
	})
}

// knownGuest is one with a lease, or a host block; what isn't known is empty.
type knownGuest struct{ name, addr, mac string }

// guestWords is words of every lease and, where no daemon answers, of every host block.
func (s source) guestWords(ctx context.Context, of func(knownGuest) []cobra.Completion) []cobra.Completion {
	var words []cobra.Completion
	for l, err := range s.client.Leases(ctx, control.LeaseQuery{}) {
		if err != nil {
			return s.hostWords(of)
		}
		words = append(words, of(knownGuest{l.Name, l.Address.String(), l.MAC})...)
	}
	return words
}

func (s source) hostWords(of func(knownGuest) []cobra.Completion) []cobra.Completion {
	var words []cobra.Completion
	for _, n := range s.networks() {
		for _, h := range n.Hosts {
			g := knownGuest{name: h.Name}
			if h.MAC != "" {
				g.mac = net.HardwareAddr(h.MAC).String()
			}
			if h.Address.IsValid() {
				g.addr = h.Address.String()
			}
			words = append(words, of(g)...)
		}
	}
	return words
}

// reservationKeys is what a reservation of run time may be named by.
func reservationKeys(ctx context.Context, s source) []cobra.Completion {
	found, _ := s.client.Reservations(ctx, "")
	var words []cobra.Completion
	for _, r := range found {
		if r.Origin == control.OriginRuntime {
			meaning := ""
			if r.Address.IsValid() {
				meaning = r.Address.String()
			}
			words = append(words, word(cmp.Or(r.Name, r.MAC, r.ClientID), meaning))
		}
	}
	return words
}

// tapNames is the TAPs of some origins, or all.
func tapNames(origins ...string) func(context.Context, source) []cobra.Completion {
	return func(ctx context.Context, s source) []cobra.Completion {
		var words []cobra.Completion
		add := func(name, network, origin string) {
			if len(origins) == 0 || slices.Contains(origins, origin) {
				words = append(words, word(name, "in "+network))
			}
		}
		found, err := s.client.TAPs(ctx, "")
		for _, t := range found {
			add(t.Name, t.Network, t.Origin)
		}
		if err != nil {
			for _, n := range s.networks() {
				for _, t := range n.TAPs {
					add(t.Name, n.Name, control.OriginFile)
				}
			}
		}
		return words
	}
}

// hostNames is the hosts that a TAP may be for: host blocks, and reservations with a name.
func hostNames(ctx context.Context, s source) []cobra.Completion {
	found, err := s.client.Reservations(ctx, "")
	if err != nil {
		return s.hostWords(func(g knownGuest) []cobra.Completion { return []cobra.Completion{word(g.name, cmp.Or(g.addr, g.mac))} })
	}
	var words []cobra.Completion
	for _, r := range found {
		words = append(words, word(r.Name, r.MAC))
	}
	return words
}

// accounts is the names in a file such as /etc/passwd.
func accounts(file string) func(context.Context, source) []cobra.Completion {
	return func(context.Context, source) []cobra.Completion {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil
		}
		var words []cobra.Completion
		for line := range strings.Lines(string(text)) {
			if fields := strings.Split(line, ":"); len(fields) > 2 {
				words = append(words, word(visible(fields[0]), "number "+visible(fields[2])))
			}
		}
		return words
	}
}
