package control

import (
	"net/http"
	"net/netip"
	"time"
)

// What the examples of the description speak of.
var (
	exampleTime  = time.Date(2026, 3, 1, 14, 0, 0, 0, time.UTC)
	exampleAddr  = netip.MustParseAddr("10.0.0.57")
	exampleLease = Lease{
		Network: "lab", Address: exampleAddr, MAC: "52:54:00:12:34:56", ClientID: "mac:52:54:00:12:34:56", Name: "vm1", State: "bound",
		Start: exampleTime, Expires: exampleTime.Add(12 * time.Hour), LastSeen: exampleTime, Hostname: "vm1", VendorClass: "udhcp 1.36.1",
	}
	exampleTAP = TAP{
		Name: "tap0", Network: "lab", Origin: OriginRuntime, Owner: "1000", MAC: "52:54:00:12:34:56", VnetHdr: true, Bridge: "br0", InUse: true,
		PID: 4711, Process: "qemu-system-x86", Address: exampleAddr, Guest: "vm1", Made: exampleTime,
	}
	exampleReservation = Reservation{
		Network: "lab", MAC: "52:54:00:12:34:56", Address: netip.MustParseAddr("10.0.0.10"), Name: "db", Origin: OriginRuntime, Made: exampleTime,
	}
	exampleChange = Change{Group: "links", Text: "- link br0"}
	exampleEvent  = &TraceEvent{
		Time: exampleTime, Network: "lab", Interface: "br0", Message: "DISCOVER", MAC: "52:54:00:12:34:56", XID: "3d1c4a07", Reply: "OFFER", Address: exampleAddr,
		Reason: "offered", Text: "an address is offered", Took: 118,
	}
	exampleQuestion = &DNSEvent{
		Time: exampleTime, Network: "lab", Client: exampleAddr, Port: 40211, Name: "vm2.lab.internal.", Type: "A", Rcode: "NOERROR",
		Answer: []string{"A 10.0.0.58"}, Reason: "local", Text: "a name of ours", Took: 31,
	}
)

// operationNotes is the notes of every operation.
var operationNotes = map[string]notes{
	"status": {tag: "daemon", example: Status{
		State: Ready, PID: 812, Version: "v1.0.0", Started: exampleTime, Config: "/etc/labnet/labnet.hcl",
		Networks: []Network{{
			Name: "lab", Mode: "routed", Bridge: "br0", Address: netip.MustParsePrefix("10.0.0.1/24"), Uplink: "auto", Masquerade: true, Domain: "lab.internal",
			Bound: 12, Addresses: 253, Leased: 11, DHCP: Counters{"ack": 40, "offered": 12},
		}},
		Upstreams: []Upstream{{Group: "default", Server: "192.0.2.53:53", Healthy: true, RTT: "1.5ms"}},
		DNS:       Counters{"local": 310}, Cache: CacheUse{Entries: 120, Bytes: 40_960, Limit: 64 << 20},
		Block: []BlockList{}, HostsFiles: []HostsFile{}, Hooks: []Hook{}, Problems: []Problem{},
	}},
	"upgrade": {tag: "daemon", problems: []int{http.StatusConflict}, example: Upgrade{From: "v1.0.0", To: "v1.1.0", Program: "/usr/bin/labnet", Started: exampleTime}},
	"health":  {tag: "daemon", example: Health{State: Ready, Checked: exampleTime, Reasons: []Reason{}}},
	"down":    {tag: "daemon", problems: []int{http.StatusConflict}, example: []Change{exampleChange}},
	"apply":   {tag: "configuration", problems: []int{http.StatusConflict}, example: Applied{Changes: []Change{exampleChange}}},
	"reload":  {tag: "configuration", problems: []int{http.StatusConflict, http.StatusUnprocessableEntity}, example: []Change{exampleChange}},
	"commit":  {tag: "configuration", problems: []int{http.StatusConflict}, example: Applied{Changes: []Change{exampleChange}}},

	"list-leases":   {tag: "leases", example: []Lease{exampleLease}},
	"release-lease": {tag: "leases", problems: []int{http.StatusNotFound, http.StatusConflict}, example: exampleLease},
	"lease-history": {tag: "leases", example: []Tenancy{{
		Network: "lab", Address: exampleAddr, MAC: "52:54:00:12:34:56", ClientID: "mac:52:54:00:12:34:56", Name: "vm1", State: "expired",
		Since: exampleTime, Until: exampleTime.Add(12 * time.Hour),
	}}},
	"watch-leases": {tag: "leases", example: LeaseEvent{Event: "bound", Seq: 12, Time: exampleTime, Lease: &exampleLease}},
	"wait-lease": {
		tag: "leases", problems: []int{http.StatusNotFound, http.StatusServiceUnavailable},
		example: WaitResult{Done: true, Lease: &exampleLease, Name: "vm1.lab.internal", Addresses: []netip.Addr{exampleAddr}},
	},
	"import-leases": {tag: "leases", problems: []int{http.StatusNotFound}, example: ImportAnswer{
		Results: []ImportResult{{Outcome: OutcomeImported, Network: "lab", Name: "vm1"}},
	}},

	"list-reservations": {tag: "reservations", example: []Reservation{exampleReservation}},
	"reserve":           {tag: "reservations", problems: []int{http.StatusNotFound, http.StatusConflict}, example: exampleReservation},
	"unreserve":         {tag: "reservations", problems: []int{http.StatusNotFound, http.StatusConflict}, example: exampleReservation},

	"list-taps":   {tag: "taps", problems: []int{http.StatusNotFound}, example: []TAP{exampleTAP}},
	"add-taps":    {tag: "taps", problems: []int{http.StatusNotFound, http.StatusConflict}, example: []TAP{exampleTAP}},
	"delete-taps": {tag: "taps", problems: []int{http.StatusNotFound, http.StatusConflict}, example: []TAP{exampleTAP}},

	"list-ports": {tag: "networks", problems: []int{http.StatusNotFound}, example: []Port{{
		Network: "lab", Name: "tap0", Bridge: "br0", Sent: 148_022, SentFrames: 1_204, Received: 9_120_441, ReceivedFrames: 6_310, MACs: 1,
		Guests: []PortGuest{{MAC: "52:54:00:12:34:56", Address: exampleAddr, Name: "vm1"}},
	}}},

	"trace-dhcp": {tag: "dhcp", problems: []int{http.StatusConflict}, example: traceLine{TraceEvent: exampleEvent}},
	"explain-dhcp": {tag: "dhcp", problems: []int{http.StatusConflict}, example: []DHCPExplanation{{
		Network: "lab", Identity: "mac", Client: "52:54:00:12:34:56",
		Discover: DHCPAnswer{Reply: "OFFER", Reason: "offered", Text: "an address is offered", Address: exampleAddr, Name: "vm1", LeaseTime: "12h0m0s"},
		Pool:     DHCPPool{Addresses: 253, Leased: 11}, Quarantined: []Lease{},
	}}},

	"trace-dns": {tag: "dns", problems: []int{http.StatusConflict}, example: dnsTraceLine{DNSEvent: exampleQuestion}},
	"explain-dns": {tag: "dns", problems: []int{http.StatusConflict}, example: []DNSExplanation{{
		Network: "lab", Client: exampleAddr, Name: "vm2.lab.internal.", Type: "A",
		Steps:  []DNSStep{{Stage: "local", Name: "vm2.lab.internal.", Says: "a lease has this name", Reason: "local", After: 9}},
		Reason: "local", Text: "a name of ours", Rcode: "NOERROR", Authoritative: true, Answer: []string{"vm2.lab.internal. 60 A 10.0.0.58"}, Took: 31,
	}}},
	"dns-cache": {tag: "dns", example: DNSCache{
		CacheUse: CacheUse{Entries: 120, Bytes: 40_960, Limit: 64 << 20}, Hits: 900, Misses: 130,
		Groups: []DNSCacheGroup{{Group: "default", Entries: 120, Bytes: 40_960}},
	}},
	"flush-dns-cache": {tag: "dns", example: FlushedDNS{Flushed: 7}},
}
