package handover

import (
	"net/netip"
)

// mark is the alias of a bridge of ours. It isn't that of routed networks' bridges, whose life is another.
const mark = "labnet bridged"

// Config is what is asked for: the essence that is confirmed, and remembered.
type Config struct {
	Network string `json:"network"` // the configuration's name for it, for messages
	Uplink  string `json:"uplink"`  // the interface that becomes a port
	Bridge  string `json:"bridge"`  // that takes over what the uplink has
	// Address is what the bridge gets in place of the uplink's IPv4 addresses; invalid: these. IPv6 addresses are always taken over.
	Address netip.Prefix `json:"address,omitzero"`
	// DHCP has a server of the LAN's give the IPv4 address, by Lease; those of the uplink are taken over until it does.
	DHCP    bool       `json:"dhcp,omitempty"`
	Gateway netip.Addr `json:"gateway,omitzero"` // of the default route, with Address; invalid: the former one, if it is in the subnet
}

// Problem is something about the host that stands against a handover.
type Problem struct {
	Summary string // one line
	Remedy  string
	// Force says that it can be done all the same, by whoever knows better; Wait that time may heal it, as at boot.
	Force, Wait bool
}

func (p Problem) Error() string {
	text := p.Summary
	if p.Remedy != "" {
		text += "; " + p.Remedy
	}
	if p.Force {
		text += " (or --force)"
	}
	return text
}
