package netcfg

import "net/netip"

// Config is every network that the host shall carry.
type Config struct {
	Networks []Network
}

// Network is one routed network on a bridge of its own.
type Network struct {
	Name       string
	Bridge     string // interface name, at most 15 bytes
	MTU        int
	Address    netip.Prefix // the host's address on the bridge
	Attach     []string     // glob patterns (path.Match) of links that become ports on sight
	Guard      Guard
	Uplink     string // "" follows the default route
	Masquerade bool
	DHCP, DNS  bool           // served here
	DNSClients []netip.Prefix // may ask besides the guests
}

// Guard says which source addresses guests may use.
type Guard uint8

// Subnet: only addresses that route back to the bridge. Off: any.
const (
	GuardSubnet Guard = iota
	GuardOff
)
