package netcfg

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// transaction collects the messages of a batch of nf_tables (uapi/linux/netfilter/nf_tables.h): the kernel takes all or none.
// Phases keep references valid: a chain is there before a rule or element that names it, and goes after it.
type transaction struct {
	unlink, declare, fill, link, remove []operation
}

// operation is one message, and the change that it belongs to.
type operation struct {
	message netlink.Message
	change  Change
}

func (tx *transaction) operations() []operation {
	var all []operation
	for _, phase := range [][]operation{tx.unlink, tx.declare, tx.fill, tx.link, tx.remove} {
		all = append(all, phase...)
	}
	return all
}

// nfMessage is a message of the nf_tables subsystem: nfgenmsg and attributes.
func nfMessage(kind int, flags netlink.HeaderFlags, f family, list ...netlink.Attribute) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind),
			Flags: netlink.Request | flags,
		},
		Data: append([]byte{byte(f), unix.NFNETLINK_V0, 0, 0}, attributes(list...)...),
	}
}

func (c addTable) encode(tx *transaction) {
	table := func(kind int, flags netlink.HeaderFlags) operation {
		return operation{nfMessage(kind, flags, c.id.family, attrText(unix.NFTA_TABLE_NAME, c.id.name)), c}
	}
	if c.replace {
		// Adding what exists does nothing, so the deletion can't fail for want of it.
		tx.unlink = append(tx.unlink, table(unix.NFT_MSG_NEWTABLE, netlink.Create), table(unix.NFT_MSG_DELTABLE, 0))
	}
	tx.declare = append(tx.declare, table(unix.NFT_MSG_NEWTABLE, netlink.Create))
	for _, name := range sortedKeys(c.to.counters) {
		addCounter{c.id, name}.encode(tx)
	}
	for _, name := range sortedKeys(c.to.timeouts) {
		addTimeout{c.id, name, c.to.timeouts[name]}.encode(tx)
	}
	for _, name := range sortedKeys(c.to.sets) {
		addSet{c.id, name, c.to.sets[name]}.encode(tx)
	}
	for _, name := range sortedKeys(c.to.chains) {
		addChain{c.id, name, c.to.chains[name]}.encode(tx)
	}
}

func (c delTable) encode(tx *transaction) {
	tx.remove = append(tx.remove, operation{nfMessage(unix.NFT_MSG_DELTABLE, 0, c.id.family, attrText(unix.NFTA_TABLE_NAME, c.id.name)), c})
}

func (c addCounter) encode(tx *transaction) {
	tx.declare = append(tx.declare, operation{nfMessage(unix.NFT_MSG_NEWOBJ, netlink.Create, c.table.family,
		attrText(unix.NFTA_OBJ_TABLE, c.table.name),
		attrText(unix.NFTA_OBJ_NAME, c.name),
		attrBig32(unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_COUNTER),
		attrNested(unix.NFTA_OBJ_DATA),
	), c})
}

func (c delCounter) encode(tx *transaction) {
	tx.remove = append(tx.remove, operation{nfMessage(unix.NFT_MSG_DELOBJ, 0, c.table.family,
		attrText(unix.NFTA_OBJ_TABLE, c.table.name),
		attrText(unix.NFTA_OBJ_NAME, c.name),
		attrBig32(unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_COUNTER),
	), c})
}

// verdictType is the data type of verdict maps (NFT_DATA_VERDICT).
const verdictType = 0xffffff00

func (c addSet) encode(tx *transaction) {
	var flags uint32
	list := []netlink.Attribute{
		attrText(unix.NFTA_SET_TABLE, c.table.name),
		attrText(unix.NFTA_SET_NAME, c.name),
		attrBig32(unix.NFTA_SET_KEY_TYPE, uint32(c.to.key)),
		attrBig32(unix.NFTA_SET_KEY_LEN, uint32(c.to.key.size())),
		// Names the set within the transaction; our sets are found by name.
		attrBig32(unix.NFTA_SET_ID, uint32(len(tx.declare)+1)),
	}
	if c.to.key == keyIfname {
		// Without the byte order nft prints names backwards.
		const hostEndian = 1
		list = append(list, attr(unix.NFTA_SET_USERDATA, userdata.Append(nil, userdata.NFTNL_UDATA_SET_KEYBYTEORDER,
			binary.NativeEndian.AppendUint32(nil, hostEndian))))
	}
	if c.to.interval {
		flags |= unix.NFT_SET_INTERVAL
	}
	if c.to.verdicts {
		flags |= unix.NFT_SET_MAP
		list = append(list, attrBig32(unix.NFTA_SET_DATA_TYPE, verdictType))
	}
	if c.to.value != 0 {
		flags |= unix.NFT_SET_MAP
		list = append(list, attrBig32(unix.NFTA_SET_DATA_TYPE, uint32(c.to.value)), attrBig32(unix.NFTA_SET_DATA_LEN, uint32(c.to.value.size())))
	}
	if c.to.dynamic {
		flags |= unix.NFT_SET_EVAL
		list = append(list, attrNested(unix.NFTA_SET_DESC, attrBig32(unix.NFTA_SET_DESC_SIZE, dynamicSize)))
	}
	if c.to.dynamic && !c.to.lasting {
		flags |= unix.NFT_SET_TIMEOUT
		list = append(list, attrBig64(unix.NFTA_SET_TIMEOUT, uint64(dynamicTimeout.Milliseconds())))
	}
	list = append(list, attrBig32(unix.NFTA_SET_FLAGS, flags))
	tx.declare = append(tx.declare, operation{nfMessage(unix.NFT_MSG_NEWSET, netlink.Create, c.table.family, list...), c})
	tx.elements(c, c.table, c.name, c.to, c.to.elements, unix.NFT_MSG_NEWSETELEM)
}

func (c delSet) encode(tx *transaction) {
	tx.remove = append(tx.remove, operation{nfMessage(unix.NFT_MSG_DELSET, 0, c.table.family,
		attrText(unix.NFTA_SET_TABLE, c.table.name), attrText(unix.NFTA_SET_NAME, c.name)), c})
}

func (c setElements) encode(tx *transaction) {
	tx.elements(c, c.table, c.name, c.of, c.del, unix.NFT_MSG_DELSETELEM)
	tx.elements(c, c.table, c.name, c.of, c.add, unix.NFT_MSG_NEWSETELEM)
}

func (c addChain) encode(tx *transaction) {
	list := []netlink.Attribute{attrText(unix.NFTA_CHAIN_TABLE, c.table.name), attrText(unix.NFTA_CHAIN_NAME, c.name)}
	if b := c.to.base; b != nil {
		list = append(list,
			attrNested(unix.NFTA_CHAIN_HOOK,
				attrBig32(unix.NFTA_HOOK_HOOKNUM, b.hook), attrBig32(unix.NFTA_HOOK_PRIORITY, uint32(b.priority))),
			attrBig32(unix.NFTA_CHAIN_POLICY, b.policy),
			attrText(unix.NFTA_CHAIN_TYPE, b.kind))
	}
	tx.declare = append(tx.declare, operation{nfMessage(unix.NFT_MSG_NEWCHAIN, netlink.Create, c.table.family, list...), c})
	tx.rules(c, c.table, c.name, c.to.rules)
}

func (c setChain) encode(tx *transaction) {
	tx.flush(c, c.table, c.name)
	tx.rules(c, c.table, c.name, c.to.rules)
}

func (c delChain) encode(tx *transaction) {
	tx.flush(c, c.table, c.name)
	tx.remove = append(tx.remove, operation{nfMessage(unix.NFT_MSG_DELCHAIN, 0, c.table.family,
		attrText(unix.NFTA_CHAIN_TABLE, c.table.name), attrText(unix.NFTA_CHAIN_NAME, c.name)), c})
}

func (tx *transaction) flush(c Change, id tableID, chain string) {
	tx.unlink = append(tx.unlink, operation{nfMessage(unix.NFT_MSG_DELRULE, 0, id.family,
		attrText(unix.NFTA_RULE_TABLE, id.name), attrText(unix.NFTA_RULE_CHAIN, chain)), c})
}

// tagType is our entry in a rule's user data, next to nft's comment; nft passes over types that it doesn't know.
const tagType userdata.Type = 0x6c

func (tx *transaction) rules(c Change, id tableID, chain string, rules []rule) {
	for _, r := range rules {
		var exprs []netlink.Attribute
		for _, e := range r.exprs {
			exprs = append(exprs, attr(unix.NLA_F_NESTED|unix.NFTA_LIST_ELEM, e))
		}
		var data []byte
		if r.comment != "" {
			data = userdata.Append(data, userdata.TypeComment, append([]byte(r.comment), 0))
		}
		data = userdata.Append(data, tagType, []byte(r.tag))
		tx.fill = append(tx.fill, operation{nfMessage(unix.NFT_MSG_NEWRULE, netlink.Create|netlink.Append, id.family,
			attrText(unix.NFTA_RULE_TABLE, id.name),
			attrText(unix.NFTA_RULE_CHAIN, chain),
			attrNested(unix.NFTA_RULE_EXPRESSIONS, exprs...),
			attr(unix.NFTA_RULE_USERDATA, data),
		), c})
	}
}

// elementsAtOnce bounds a message: a netlink attribute holds 64 KiB.
const elementsAtOnce = 400

func (tx *transaction) elements(c Change, id tableID, name string, s set, elements map[string]string, kind int) {
	keys := sortedKeys(elements)
	for len(keys) > 0 {
		n := min(elementsAtOnce, len(keys))
		var list []netlink.Attribute
		for _, key := range keys[:n] {
			list = append(list, encodeElement(s, key, elements[key])...)
		}
		keys = keys[n:]
		op := operation{nfMessage(kind, netlink.Create, id.family,
			attrText(unix.NFTA_SET_ELEM_LIST_TABLE, id.name),
			attrText(unix.NFTA_SET_ELEM_LIST_SET, name),
			attrNested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, list...),
		), c}
		if kind == unix.NFT_MSG_DELSETELEM {
			tx.unlink = append(tx.unlink, op)
		} else {
			tx.link = append(tx.link, op)
		}
	}
}

// encodeElement gives the list entries of an element: an interval has a second one, for the first key after its end.
func encodeElement(s set, key, verdict string) []netlink.Attribute {
	first, after := encodeKey(s, key)
	entry := []netlink.Attribute{attrNested(unix.NFTA_SET_ELEM_KEY, attr(unix.NFTA_DATA_VALUE, first))}
	if s.verdicts {
		code, chain := decodeVerdict(verdict)
		v := []netlink.Attribute{attrBig32(unix.NFTA_VERDICT_CODE, code)}
		if chain != "" {
			v = append(v, attrText(unix.NFTA_VERDICT_CHAIN, chain))
		}
		entry = append(entry, attrNested(unix.NFTA_SET_ELEM_DATA, attrNested(unix.NFTA_DATA_VERDICT, v...)))
	}
	if s.value != 0 {
		entry = append(entry, attrNested(unix.NFTA_SET_ELEM_DATA, attr(unix.NFTA_DATA_VALUE, s.value.encode(verdict))))
	}
	list := []netlink.Attribute{attrNested(unix.NFTA_LIST_ELEM, entry...)}
	if after != nil {
		list = append(list, attrNested(unix.NFTA_LIST_ELEM,
			attrNested(unix.NFTA_SET_ELEM_KEY, attr(unix.NFTA_DATA_VALUE, after)),
			attrBig32(unix.NFTA_SET_ELEM_FLAGS, unix.NFT_SET_ELEM_INTERVAL_END)))
	}
	return list
}

// encodeKey gives an element's key, and for an interval the first key after it, unless it reaches the end of the space.
func encodeKey(s set, key string) (first, after []byte) {
	if !s.interval {
		return s.key.encode(key), nil
	}
	from, to := parseInterval(key)
	if next := to.Next(); next.IsValid() {
		after = next.AsSlice()
	}
	return from.AsSlice(), after
}

// parseInterval reads "10.0.0.0/24" or, for what is no prefix, "10.0.0.1-10.0.0.5".
func parseInterval(key string) (first, last netip.Addr) {
	if a, b, ok := strings.Cut(key, "-"); ok {
		first, _ = netip.ParseAddr(a)
		last, _ = netip.ParseAddr(b)
		return first, last
	}
	p, _ := netip.ParsePrefix(key)
	return p.Addr(), lastOf(p)
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	v := binary.BigEndian.Uint32(b[:]) | uint32(1<<(32-p.Bits())-1)
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}

var verdictCodes = map[string]int32{"goto": unix.NFT_GOTO, "jump": unix.NFT_JUMP, "return": unix.NFT_RETURN, "accept": nfAccept, "drop": nfDrop}

func decodeVerdict(verdict string) (code uint32, chain string) {
	word, chain, _ := strings.Cut(verdict, " ")
	return uint32(verdictCodes[word]), chain
}

func encodeVerdict(code uint32, chain string) string {
	for word, c := range verdictCodes {
		if uint32(c) == code {
			return strings.TrimSpace(word + " " + chain)
		}
	}
	return fmt.Sprintf("verdict %d", int32(code))
}
