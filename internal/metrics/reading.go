package metrics

import (
	"time"

	"labnet/internal/histogram"
)

// Reading is every counter at a moment. Whoever fills it sees to it that no label has a value that a guest has chosen.
type Reading struct {
	Problems map[string]int // by kind, those with none too; nil: not known

	ReloadFailed bool      // the last one
	Reloaded     time.Time // when the configuration that is served was read

	Net      Net
	Networks []DHCPNetwork
	Commits  Commits
	DNS      DNS
	Hooks    []Hook
}

// Net is the host's network.
type Net struct {
	Applied     time.Time // the last time; zero: not yet
	ApplyFailed bool
	Repaired    uint64
	Failures    uint64
	Resting     bool
	Packets     map[Rule]uint64 // nil: not known
}

// Rule is a counter of nftables.
type Rule struct{ Table, Name string }

// DHCPNetwork is a network whose addresses are leased, or were.
type DHCPNetwork struct {
	Name      string
	Messages  []Messages        // nil where DHCP isn't served
	Decisions map[string]uint64 // by reason, those with zero too
	Leases    map[string]int    // by state
	Addresses uint64
	Leased    int
}

// Messages counts DHCP messages of one type.
type Messages struct {
	Sent  bool
	Type  string
	Count uint64
}

// Commits is how leases become durable.
type Commits struct {
	Times  histogram.Reading
	Failed uint64
	Leases uint64
}

// DNS is the DNS server.
type DNS struct {
	Networks     []DNSNetwork
	Decisions    map[string]uint64 // by reason, those with zero too
	Upstreams    []Upstream        // each address once
	CacheEntries int
	CacheBytes   int64
	CacheLimit   int64
	Evicted      uint64
	BlockedNames int
	BlockFailing int
}

// DNSNetwork is what the clients of one network ask.
type DNSNetwork struct {
	Name     string
	UDP, TCP map[string]uint64 // questions by type
	Answers  []Answers
}

// Answers counts DNS answers of one kind.
type Answers struct {
	Rcode, Source string
	Count         uint64
}

// Upstream is one DNS server that is asked.
type Upstream struct {
	Addr     string
	Up       bool
	Times    histogram.Reading
	Failures uint64
}

// Hook is one hook.
type Hook struct {
	Name                       string
	Delivered, Failed, Dropped uint64
	Waiting                    int
}
