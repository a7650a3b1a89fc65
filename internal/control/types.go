package control

import (
	"net/netip"
	"time"
)

// State says how the daemon is.
type State string

// Ready: everything that the configuration asks for is served. Degraded: it serves, and Problems says what is amiss.
const (
	Ready    State = "ready"
	Degraded State = "degraded"
)

// Status is what a running daemon says of itself.
type Status struct {
	State     State       `json:"state" enum:"ready,degraded"`
	PID       int         `json:"pid"`
	Version   string      `json:"version"`
	Started   time.Time   `json:"started" doc:"When the daemon started"`
	Config    string      `json:"config" doc:"The file or directory that it runs by"`
	Ephemeral bool        `json:"ephemeral" doc:"The network is removed when the daemon ends"`
	Networks  []Network   `json:"networks" nullable:"false"`
	Upstreams []Upstream  `json:"upstreams" nullable:"false" doc:"The DNS servers that questions are forwarded to"`
	DNS       Counters    `json:"dns" doc:"Answers so far, by reason code"`
	Cache     CacheUse    `json:"dns_cache" doc:"How full the cache of the upstreams' answers is"`
	Block     []BlockList `json:"block_lists" nullable:"false"`

	HostsFiles []HostsFile `json:"hosts_files" nullable:"false"`
	Hooks      []Hook      `json:"hooks" nullable:"false"`
	Problems   []Problem   `json:"problems" nullable:"false"`
	Takeover   *Takeover   `json:"takeover,omitempty" doc:"How it followed another daemon whose sockets it has; absent if it began anew"`
}

// Counters counts decisions since the start, by reason code.
type Counters map[string]uint64

// Network is one network as it is served.
type Network struct {
	Name       string         `json:"name"`
	Mode       string         `json:"mode" enum:"routed,isolated,bridged"`
	Bridge     string         `json:"bridge"`
	Address    netip.Prefix   `json:"address" doc:"The host's address on the bridge"`
	Secondary  []netip.Prefix `json:"secondary_addresses,omitempty" doc:"Further addresses of the host on the bridge"`
	Uplink     string         `json:"uplink" doc:"The interface of the way out, or auto; empty if it is isolated"`
	Masquerade bool           `json:"masquerade"`
	Domain     string         `json:"domain"`
	Bound      int            `json:"leases_bound" doc:"Leases in force"`
	Addresses  int            `json:"pool_addresses" doc:"Addresses in the ranges"`
	Leased     int            `json:"pool_leased" doc:"Of these, those with a lease in force"`
	DHCP       Counters       `json:"dhcp,omitempty" doc:"Decisions so far, by reason code; absent where DHCP is off"`

	Routes   []ReturnRoute `json:"return_routes,omitempty" doc:"What the LAN's router needs, since the network isn't masqueraded"`
	Handover *Handover     `json:"handover,omitempty" doc:"How far a bridged network's bridge has taken over from its uplink"`

	OtherServers []OtherServer `json:"other_dhcp_servers,omitempty" doc:"Other DHCP servers that the bridge has shown in the last hour"`
}

// ReturnRoute is a route that the router of an uplink's LAN needs to a network.
type ReturnRoute struct {
	Network string       `json:"network"`
	Subnet  netip.Prefix `json:"subnet"`
	Via     netip.Addr   `json:"via" doc:"This host's address on the uplink"`
	Command string       `json:"command" doc:"That adds it on a router that runs Linux"`
}

// OtherServer is somebody else's DHCP server on a bridge.
type OtherServer struct {
	Server  netip.Addr `json:"server" doc:"Its server identifier"`
	MAC     string     `json:"mac,omitempty" doc:"Of the machine; absent if only a guest has named the server"`
	Offered netip.Addr `json:"offered,omitzero" doc:"The last address that it gave or was to give"`
	Guest   string     `json:"guest,omitempty" doc:"The MAC that this was for"`
	Heard   time.Time  `json:"heard"`
	Times   uint64     `json:"times"`
}

// BlockList is a file of names that are not answered.
type BlockList struct {
	File  string `json:"file"`
	Names int    `json:"names" doc:"How many count now"`
	Bad   int    `json:"bad_lines" doc:"Lines that can't be understood and are passed over; the log has the first"`
	Error string `json:"error,omitempty" doc:"Why the file can't be read now; what it had before still counts"`
}

// HostsFile is a file of addresses and names.
type HostsFile struct {
	File  string `json:"file"`
	Names int    `json:"names" doc:"How many it has now"`
	Bad   int    `json:"bad_lines" doc:"Lines of which something can't be understood and is passed over; the log has the first"`
	Error string `json:"error,omitempty" doc:"Why the file can't be read now; what it had before still counts"`
}

// Upstream is one DNS server that questions are forwarded to.
type Upstream struct {
	Group   string `json:"group"`
	Server  string `json:"server"`
	Healthy bool   `json:"healthy"`
	Looping bool   `json:"looping,omitempty" doc:"It asks labnet what labnet asks it, so it isn't asked"`
	RTT     string `json:"rtt,omitempty" doc:"Smoothed, e.g. 1.5ms"`
}

// Hook is a program or URL that is told what happens to leases. The counters count events since the daemon's start.
type Hook struct {
	Name        string    `json:"name"`
	Target      string    `json:"target" doc:"The program, or the URL without its path"`
	Delivered   uint64    `json:"delivered" doc:"What it was told"`
	Failed      uint64    `json:"failed" doc:"What it was told in vain"`
	Dropped     uint64    `json:"dropped" doc:"What it was not told since it fell behind"`
	Waiting     int       `json:"waiting" doc:"What it is being told, or is still to be told"`
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

// Problem is something that a person should look at.
type Problem struct {
	Network string `json:"network,omitempty"`
	Fatal   bool   `json:"fatal" doc:"A start would refuse because of it"`
	Summary string `json:"summary"`
	Remedy  string `json:"remedy,omitempty"`
}

// Note is something about the host that is as it may be, and good to know.
type Note struct {
	Network string `json:"network,omitempty"`
	Text    string `json:"text"`
	Hint    string `json:"hint,omitempty"`
}

// Change is one change made to the host.
type Change struct {
	Group string `json:"group" doc:"links, addresses, routes, firewall, sysctls, ports"`
	Text  string `json:"text"`
}
