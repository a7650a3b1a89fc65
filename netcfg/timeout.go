package netcfg

import (
	"encoding/binary"
	"fmt"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// timeout says how long connection tracking keeps what it knows of UDP: a policy object, which rules refer to. It can't be changed,
// only made anew.
type timeout struct {
	family             family // IPv4 or IPv6
	unreplied, replied uint32 // seconds
}

type (
	addTimeout struct {
		table tableID
		name  string
		to    timeout
	}
	delTimeout struct {
		table tableID
		name  string
	}
)

func (c addTimeout) Group() string  { return groupFirewall }
func (c delTimeout) Group() string  { return groupFirewall }
func (c addTimeout) String() string { return fmt.Sprintf("+ ct timeout %s %s", c.table, c.name) }
func (c delTimeout) String() string { return fmt.Sprintf("- ct timeout %s %s", c.table, c.name) }

// Attributes of such an object, uapi/linux/netfilter/nf_tables.h and nfnetlink_cttimeout.h.
const (
	nftaTimeoutL3   = 1
	nftaTimeoutL4   = 2
	nftaTimeoutData = 3

	ctaUDPUnreplied = 1
	ctaUDPReplied   = 2
)

func (c addTimeout) encode(tx *transaction) {
	tx.declare = append(tx.declare, operation{nfMessage(unix.NFT_MSG_NEWOBJ, netlink.Create, c.table.family,
		attrText(unix.NFTA_OBJ_TABLE, c.table.name),
		attrText(unix.NFTA_OBJ_NAME, c.name),
		attrBig32(unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_CT_TIMEOUT),
		attrNested(unix.NFTA_OBJ_DATA,
			attr(nftaTimeoutL3, binary.BigEndian.AppendUint16(nil, uint16(c.to.family))),
			attr(nftaTimeoutL4, []byte{unix.IPPROTO_UDP}),
			attrNested(nftaTimeoutData,
				attrBig32(ctaUDPUnreplied, c.to.unreplied),
				attrBig32(ctaUDPReplied, c.to.replied))),
	), c})
}

func (c delTimeout) encode(tx *transaction) {
	tx.remove = append(tx.remove, operation{nfMessage(unix.NFT_MSG_DELOBJ, 0, c.table.family,
		attrText(unix.NFTA_OBJ_TABLE, c.table.name),
		attrText(unix.NFTA_OBJ_NAME, c.name),
		attrBig32(unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_CT_TIMEOUT),
	), c})
}

func readTimeout(data []byte) timeout {
	var t timeout
	_ = eachAttribute(data, 0, func(kind uint16, v []byte) {
		switch kind {
		case nftaTimeoutL3:
			if len(v) == 2 {
				t.family = family(binary.BigEndian.Uint16(v))
			}
		case nftaTimeoutData:
			_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
				switch kind {
				case ctaUDPUnreplied:
					t.unreplied = big32(v)
				case ctaUDPReplied:
					t.replied = big32(v)
				}
			})
		}
	})
	return t
}

// sameTimeouts reports whether no timeout would have to change.
func sameTimeouts(from, to *table) bool {
	for name, t := range to.timeouts {
		if old, ok := from.timeouts[name]; ok && old != t {
			return false
		}
	}
	return true
}

func newTimeouts(id tableID, from, to *table) (changes []Change) {
	for _, name := range sortedKeys(to.timeouts) {
		if _, ok := from.timeouts[name]; !ok {
			changes = append(changes, addTimeout{id, name, to.timeouts[name]})
		}
	}
	return changes
}

func oldTimeouts(id tableID, from, to *table) (changes []Change) {
	for _, name := range sortedKeys(from.timeouts) {
		if _, ok := to.timeouts[name]; !ok {
			changes = append(changes, delTimeout{id, name})
		}
	}
	return changes
}

// questionTimeout is how long the kernel remembers a DNS question that the host asks, each of which is a connection of its own. Stub
// resolvers wait five seconds for an answer; by default it is remembered for thirty.
const questionTimeout = 6

// rememberQuestionsShortly makes the chain that keeps the host's own DNS questions from filling the table of connections. It takes
// packets that have an entry which isn't in the table yet, as chains of translation have. Leaving questions untracked would make their
// answers strangers to whatever firewall lets in what is established.
func (t *table) rememberQuestionsShortly() {
	var rules []rule
	for _, c := range []struct {
		name   string
		proto  byte
		family family
	}{{"question4", unix.NFPROTO_IPV4, familyIPv4}, {"question6", unix.NFPROTO_IPV6, familyIPv6}} {
		t.timeouts[c.name] = timeout{family: c.family, unreplied: questionTimeout, replied: questionTimeout}
		rules = append(rules, inet("", nfproto(c.proto), udp, part{&expr.Objref{Type: unix.NFT_OBJECT_CT_TIMEOUT, Name: c.name}}))
	}
	t.chains["questions"] = chain{rules: rules}
}
