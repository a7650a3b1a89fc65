package netcfg

import (
	"net/netip"
	"strings"
	"time"
)

// state is what labnet manages in a network namespace, as wanted or as observed. Only what it holds is compared: the kernel
// has many more attributes, and sets some of them by itself.
type state struct {
	tables    map[tableID]*table
	bridges   map[string]bridge
	addresses map[address]bool
	routes    map[guestRoute]bool
	sysctls   map[sysctlKey]sysctlValue
	ports     map[string]port
	taps      map[string]tap
	indexes   map[string]int // of observed TAPs
}

func newState() *state {
	return &state{
		tables:    map[tableID]*table{},
		bridges:   map[string]bridge{},
		addresses: map[address]bool{},
		routes:    map[guestRoute]bool{},
		sysctls:   map[sysctlKey]sysctlValue{},
		ports:     map[string]port{},
		taps:      map[string]tap{},
		indexes:   map[string]int{},
	}
}

// alias marks a bridge as ours in the kernel, so that it is found without any memory of it.
const alias = "labnet"

// bridge is what we manage of a bridge.
type bridge struct {
	mac          string // as net.HardwareAddr prints it
	mtu          int
	marked       bool   // has our alias; a bridge killed between its birth and its marking has not
	stp          bool   // spanning tree; never wanted: guests' ports forward at once
	forwardDelay uint32 // in USER_HZ
	up           bool
}

// address is an IPv4 address of a link.
type address struct {
	link   string
	prefix netip.Prefix
}

// port is a link on one of our bridges.
type port struct {
	bridge   string
	isolated bool // from the other isolated ports of the bridge
	// restoreDown says that it was down before we attached it: it is taken down again when it is detached.
	restoreDown bool
	hairpin     bool // frames may leave by it that came in by it
}

// sysctlKey is a path below /proc/sys: net/ipv4/conf/br0/forwarding.
type sysctlKey string

type sysctlValue struct {
	value   string
	restore bool // what stood there before us: it belongs to the part of a plan that shrinks
}

func forwardingOf(link string) sysctlKey {
	return sysctlKey("net/ipv4/conf/" + link + "/forwarding")
}

const (
	ipForward       sysctlKey = "net/ipv4/ip_forward"
	conntrackMax    sysctlKey = "net/netfilter/nf_conntrack_max"
	defaultAcceptRA sysctlKey = "net/ipv6/conf/default/accept_ra"
)

// link is the interface that the key belongs to, "" if none.
func (k sysctlKey) link() string {
	parts := strings.Split(string(k), "/")
	if len(parts) != 5 || parts[2] != "conf" {
		return ""
	}
	return parts[3]
}

// of is the same setting of another interface.
func (k sysctlKey) of(link string) sysctlKey {
	parts := strings.Split(string(k), "/")
	parts[3] = link
	return sysctlKey(strings.Join(parts, "/"))
}

func (k sysctlKey) isForwarding() bool { return strings.HasSuffix(string(k), "/forwarding") }

// String is the key as sysctl(8) writes it: a dot of an interface's name becomes a slash.
func (k sysctlKey) String() string {
	return strings.NewReplacer("/", ".", ".", "/").Replace(string(k))
}

type family byte

// Address families of nftables, uapi/linux/netfilter.h.
const (
	familyInet   family = 1
	familyIPv4   family = 2
	familyARP    family = 3
	familyNetdev family = 5
	familyBridge family = 7
	familyIPv6   family = 10
)

func (f family) String() string {
	switch f {
	case familyInet:
		return "inet"
	case familyIPv4:
		return "ip"
	case familyARP:
		return "arp"
	case familyNetdev:
		return "netdev"
	case familyBridge:
		return "bridge"
	case familyIPv6:
		return "ip6"
	}
	return "unknown"
}

type tableID struct {
	family family
	name   string
}

func (id tableID) String() string { return id.family.String() + " " + id.name }

var (
	inetTable   = tableID{familyInet, alias}
	bridgeTable = tableID{familyBridge, alias}
)

// table is an nftables table: sets, chains and named counters change in place as long as its structure fits.
type table struct {
	dormant  bool
	chains   map[string]chain
	sets     map[string]set
	counters map[string]bool
	timeouts map[string]timeout
}

func newTable() *table {
	return &table{chains: map[string]chain{}, sets: map[string]set{}, counters: map[string]bool{}, timeouts: map[string]timeout{}}
}

// chain is a list of rules; base is nil for one that is only jumped to.
type chain struct {
	base  *base
	rules []rule
}

type base struct {
	kind     string // filter, nat
	hook     uint32
	priority int32
	policy   uint32
}

// rule is kept in the kernel together with a tag, a digest of what was meant: comparing tags doesn't depend on how a kernel
// prints a rule back, and a rule that someone replaced has lost it.
type rule struct {
	exprs   [][]byte // encoded; nil in an observed rule
	comment string
	tag     string
}

// set is a named set or map. Elements are text (name, address, prefix, "name . name") to the verdict's or value's text, "" in a set.
type set struct {
	key      keyType
	value    keyType // of a map that has no verdicts
	verdicts bool
	interval bool
	dynamic  bool // filled by rules as packets come: elements is empty, whatever the kernel's has
	lasting  bool // of a dynamic one: an element stays as long as what is counted of it
	followed bool // filled by the follower as addresses come and go: a plan only makes it, with what is known by then
	elements map[string]string
}

// A dynamic set forgets an element that no packet has refreshed for dynamicTimeout, unless it is lasting, and holds dynamicSize of them.
const (
	dynamicTimeout = 10 * time.Minute
	dynamicSize    = 1 << 18
)

func (t *table) ruleCount() int {
	n := 0
	for _, c := range t.chains {
		n += len(c.rules)
	}
	return n
}
