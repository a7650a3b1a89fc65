package netcfg

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// Config is every network that the host shall carry.
type Config struct {
	Networks []Network
	Segments []Segment `json:",omitempty"`
}

// Network is one routed network on a bridge of its own.
type Network struct {
	Name       string         // letters, digits, "_" and "-"; it names chains of the firewall
	Bridge     string         // interface name, at most 15 bytes
	MTU        int            // 68 to 65535; 0 is 1500
	Address    netip.Prefix   // the host's IPv4 address on the bridge, and the length of the subnet
	Secondary  []netip.Prefix `json:",omitempty"` // further addresses of the host, each with a subnet of its own
	Routes     []Route        `json:",omitempty"` // what lies behind guests
	Attach     []string       // glob patterns (path.Match) of links that become ports on sight
	Guard      Guard
	Uplink     string // "" follows the default route
	Masquerade bool
	DHCP, DNS  bool           // served here
	DNSClients []netip.Prefix // may ask besides the guests
	Publish    []Publish      `json:",omitempty"`
	TAPs       []TAP          `json:",omitempty"` // made for the guests

	Isolate   bool     // its guests don't reach each other
	Services  bool     // of the host they reach DHCP, DNS and ICMP alone
	AllowFrom []string // names of networks whose guests may come in
	Isolated  bool     // nothing leaves: no Uplink, and no Masquerade
	Adopt     bool     // the bridge is someone else's, who has made it already and keeps it
}

// Guard says which source addresses guests may use.
type Guard uint8

// Subnet: only addresses that route back to the bridge. Off: any. Strict: each guest only its own, as SetGuests says, and IPv4 alone.
const (
	GuardSubnet Guard = iota
	GuardOff
	GuardStrict
)

// complete returns the configuration with defaults, or says what no host could carry. It is for callers that build a Config
// themselves: a configuration file has been checked with better words.
func (cfg Config) complete() (Config, error) {
	networks := slices.Clone(cfg.Networks)
	for i := range networks {
		n := &networks[i]
		if n.MTU == 0 {
			n.MTU = 1500
		}
		fail := func(format string, args ...any) (Config, error) {
			return Config{}, fmt.Errorf("network %q: "+format, append([]any{n.Name}, args...)...)
		}
		switch {
		case !named(n.Name, 64, "-"):
			return fail("its name must be of letters, digits, - and _")
		case !named(n.Bridge, 15, "-."):
			return fail("%q can't name a bridge: up to 15 letters, digits, - _ and .", n.Bridge)
		case n.Bridge == "all" || n.Bridge == "default" || n.Bridge == "lo":
			return fail("a bridge can't be named %q: the kernel uses that name itself", n.Bridge)
		case n.MTU < 68 || n.MTU > 65535:
			return fail("mtu %d is outside 68 to 65535", n.MTU)
		case !n.Address.IsValid() || !n.Address.Addr().Is4():
			return fail("its address must be IPv4 with a prefix length")
		case n.Address.Bits() < 1:
			return fail("a prefix length of 0 is the whole internet")
		}
		for _, pattern := range n.Attach {
			if _, err := path.Match(pattern, ""); err != nil {
				return fail("attach pattern %q: %w", pattern, err)
			}
		}
		for _, p := range n.DNSClients {
			if !p.IsValid() {
				return fail("a DNS client's prefix is invalid")
			}
		}
		if err := n.completeSubnets(); err != nil {
			return fail("%w", err)
		}
		if err := cfg.checkSeparation(*n); err != nil {
			return fail("%w", err)
		}
		if err := n.completePublish(); err != nil {
			return fail("%w", err)
		}
		for _, other := range networks[:i] {
			own, others, overlap := n.overlap(other)
			switch {
			case other.Name == n.Name:
				return fail("there are two networks of that name")
			case other.Bridge == n.Bridge:
				return fail("bridge %s is that of network %q too", n.Bridge, other.Name)
			case overlap:
				return fail("%s overlaps network %q, %s", own, other.Name, others)
			}
		}
	}
	cfg = Config{Networks: networks, Segments: cfg.Segments}
	return cfg, errors.Join(cfg.completePublishes(), cfg.checkSegments(), cfg.checkTAPs())
}

// named reports whether s is a name of up to most bytes: letters, digits, _ and, but for the first, what else there may be.
func named(s string, most int, others string) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case i > 0 && strings.IndexByte(others, c) >= 0:
		default:
			return false
		}
	}
	return true
}
