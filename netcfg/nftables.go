package netcfg

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Verdicts of netfilter, uapi/linux/netfilter.h.
const (
	nfDrop   = 0
	nfAccept = 1
)

// commit makes a transaction. On an error nothing was changed, and the error names the change that the kernel refused.
func commit(conn *netlink.Conn, tx *transaction) error {
	ops := tx.operations()
	if len(ops) == 0 {
		return nil
	}
	mark := func(kind int) netlink.Message {
		// The resource id of a batch is the subsystem, in network byte order.
		return netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request},
			Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES},
		}
	}
	messages := []netlink.Message{mark(unix.NFNL_MSG_BATCH_BEGIN)}
	size := 0
	for _, op := range ops {
		messages = append(messages, op.message)
		size += len(op.message.Data) + unix.SizeofNlMsghdr
	}
	// Refusals come without being asked for; one acknowledgement at the end is enough, and never overflows the socket.
	messages[len(messages)-1].Header.Flags |= netlink.Acknowledge
	messages = append(messages, mark(unix.NFNL_MSG_BATCH_END))

	// Larger than the batch, since the kernel counts its own overhead.
	if err := conn.SetWriteBuffer(max(1<<20, 4*size)); err != nil {
		return fmt.Errorf("sizing the netfilter socket: %w", err)
	}
	sent, err := conn.SendMessages(messages)
	if err != nil {
		return fmt.Errorf("sending %d nftables changes: %w", len(ops), err)
	}
	return awaitCommit(conn, sent, ops)
}

// awaitCommit returns the first refusal. The kernel has put all its answers into the socket by the time that sending returns.
// They are read here, since the library's errors don't say which message they answer, and to the last, so that none is taken
// for the answer to the next request.
func awaitCommit(conn *netlink.Conn, sent []netlink.Message, ops []operation) error {
	first, last := sent[1].Header.Sequence, sent[len(sent)-2].Header.Sequence
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var no refusals
	var unread error
	acknowledged := false
	buffer := make([]byte, 1<<17)
	for {
		var n int
		var got error
		if err := raw.Control(func(fd uintptr) { n, _, got = unix.Recvfrom(int(fd), buffer, unix.MSG_DONTWAIT) }); err != nil {
			return err
		}
		if errors.Is(got, unix.EAGAIN) {
			break
		}
		if errors.Is(got, unix.EINTR) {
			continue
		}
		if got != nil {
			// ENOBUFS: more refusals than the socket holds.
			unread = cmp.Or(unread, fmt.Errorf("reading the answer of nftables: %w", got))
			continue
		}
		for rest := buffer[:n]; len(rest) >= unix.SizeofNlMsghdr+4; {
			size := int(native32(rest))
			if kind := binary.NativeEndian.Uint16(rest[4:]); kind == unix.NLMSG_ERROR {
				seq, code := native32(rest[8:]), -int32(native32(rest[unix.SizeofNlMsghdr:]))
				if i := int(seq - first); code != 0 && seq >= first && i < len(ops) {
					no.add(ops[i], unix.Errno(code))
				} else if code != 0 {
					// Of the batch as a whole.
					unread = cmp.Or[error](unread, &refusal{errno: unix.Errno(code)})
				}
				acknowledged = acknowledged || seq == last
			}
			size = (size + 3) &^ 3
			if size < unix.SizeofNlMsghdr || size > len(rest) {
				break
			}
			rest = rest[size:]
		}
	}
	if err := cmp.Or(no.err(moduleLoaded), unread); err != nil {
		return err
	}
	if !acknowledged {
		return errors.New("nftables didn't acknowledge the changes")
	}
	return nil
}

// readTables reads our tables, whatever is in them.
func readTables(conn *netlink.Conn) (map[tableID]*table, error) {
	tables := map[tableID]*table{}
	messages, err := dump(conn, nfKind(unix.NFT_MSG_GETTABLE), nfRequest(familyAny))
	if noNftables(err) {
		// There are none of ours, and all else can be looked at and put back.
		return tables, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing nftables tables: %w", err)
	}
	for _, m := range messages {
		var name string
		var flags uint32
		if err := eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_TABLE_NAME:
				name = text(v)
			case unix.NFTA_TABLE_FLAGS:
				flags = big32(v)
			}
		}); err != nil {
			return nil, err
		}
		id := tableID{family(m.Data[0]), name}
		if id == inetTable || id == bridgeTable {
			tables[id] = newTable()
			tables[id].dormant = flags&tableDormant != 0
		}
	}
	for id, t := range tables {
		err := t.read(conn, id)
		if errors.Is(err, unix.ENOENT) {
			delete(tables, id) // removed while it was read
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading table %s: %w", id, err)
		}
	}
	return tables, nil
}

// familyAny asks for all families.
const familyAny family = 0

// tableDormant is NFT_TABLE_F_DORMANT: the table is there, but sees no packets.
const tableDormant = 1

func nfKind(kind int) uint16 { return uint16(unix.NFNL_SUBSYS_NFTABLES<<8 | kind) }

func nfRequest(f family, list ...netlink.Attribute) []byte {
	return append([]byte{byte(f), unix.NFNETLINK_V0, 0, 0}, attributes(list...)...)
}

func (t *table) read(conn *netlink.Conn, id tableID) error {
	chains, err := readChains(conn, id.family)
	if err != nil {
		return err
	}
	for _, c := range chains {
		if c.table == id {
			t.chains[c.name] = chain{base: c.base}
		}
	}
	if err := t.readRules(conn, id); err != nil {
		return err
	}
	if err := t.readSets(conn, id); err != nil {
		return err
	}
	return t.readObjects(conn, id)
}

// readChain is a chain of anyone's; base is nil if it has no hook.
type readChain struct {
	table tableID
	name  string
	base  *base
}

func readChains(conn *netlink.Conn, f family) ([]readChain, error) {
	messages, err := dump(conn, nfKind(unix.NFT_MSG_GETCHAIN), nfRequest(f))
	if err != nil {
		return nil, fmt.Errorf("listing chains: %w", err)
	}
	var chains []readChain
	for _, m := range messages {
		c := readChain{}
		b := base{}
		hooked := false
		if err := eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_CHAIN_TABLE:
				c.table = tableID{family(m.Data[0]), text(v)}
			case unix.NFTA_CHAIN_NAME:
				c.name = text(v)
			case unix.NFTA_CHAIN_POLICY:
				b.policy = big32(v)
			case unix.NFTA_CHAIN_TYPE:
				b.kind = text(v)
			case unix.NFTA_CHAIN_HOOK:
				hooked = true
				_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
					switch kind {
					case unix.NFTA_HOOK_HOOKNUM:
						b.hook = big32(v)
					case unix.NFTA_HOOK_PRIORITY:
						b.priority = int32(big32(v))
					}
				})
			}
		}); err != nil {
			return nil, err
		}
		if hooked {
			c.base = &b
		}
		chains = append(chains, c)
	}
	return chains, nil
}

func (t *table) readRules(conn *netlink.Conn, id tableID) error {
	messages, err := dump(conn, nfKind(unix.NFT_MSG_GETRULE), nfRequest(id.family, attrText(unix.NFTA_RULE_TABLE, id.name)))
	if err != nil {
		return fmt.Errorf("listing rules: %w", err)
	}
	for _, m := range messages {
		var in, of string
		var r rule
		if err := eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_RULE_TABLE:
				in = text(v)
			case unix.NFTA_RULE_CHAIN:
				of = text(v)
			case unix.NFTA_RULE_USERDATA:
				r.tag = ruleTag(v)
			}
		}); err != nil {
			return err
		}
		// A chain that appeared since is read by the next look.
		if c, ok := t.chains[of]; ok && in == id.name {
			c.rules = append(c.rules, r)
			t.chains[of] = c
		}
	}
	return nil
}

// ruleTag finds our tag in a rule's user data, which may be anybody's: lengths aren't trusted.
func ruleTag(data []byte) string {
	for len(data) >= 2 && len(data) >= 2+int(data[1]) {
		if userdata.Type(data[0]) == tagType {
			return string(data[2 : 2+int(data[1])])
		}
		data = data[2+int(data[1]):]
	}
	return ""
}

func (t *table) readObjects(conn *netlink.Conn, id tableID) error {
	messages, err := dump(conn, nfKind(unix.NFT_MSG_GETOBJ), nfRequest(id.family, attrText(unix.NFTA_OBJ_TABLE, id.name)))
	if err != nil {
		return fmt.Errorf("listing objects: %w", err)
	}
	for _, m := range messages {
		var in, name string
		var of uint32
		var data []byte
		if err := eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_OBJ_TABLE:
				in = text(v)
			case unix.NFTA_OBJ_NAME:
				name = text(v)
			case unix.NFTA_OBJ_TYPE:
				of = big32(v)
			case unix.NFTA_OBJ_DATA:
				data = v
			}
		}); err != nil {
			return err
		}
		switch {
		case in != id.name:
		case of == unix.NFT_OBJECT_COUNTER:
			t.counters[name] = true
		case of == unix.NFT_OBJECT_CT_TIMEOUT:
			t.timeouts[name] = readTimeout(data)
		}
	}
	return nil
}

func (t *table) readSets(conn *netlink.Conn, id tableID) error {
	messages, err := dump(conn, nfKind(unix.NFT_MSG_GETSET), nfRequest(id.family, attrText(unix.NFTA_SET_TABLE, id.name)))
	if err != nil {
		return fmt.Errorf("listing sets: %w", err)
	}
	for _, m := range messages {
		var in, name string
		var flags, values uint32
		s := set{elements: map[string]string{}}
		if err := eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_SET_TABLE:
				in = text(v)
			case unix.NFTA_SET_NAME:
				name = text(v)
			case unix.NFTA_SET_KEY_TYPE:
				s.key = keyType(big32(v))
			case unix.NFTA_SET_FLAGS:
				flags = big32(v)
			case unix.NFTA_SET_DATA_TYPE:
				values = big32(v)
			}
		}); err != nil {
			return err
		}
		if in != id.name || flags&unix.NFT_SET_ANONYMOUS != 0 {
			continue
		}
		s.interval, s.verdicts, s.dynamic = flags&unix.NFT_SET_INTERVAL != 0, flags&unix.NFT_SET_MAP != 0, flags&unix.NFT_SET_EVAL != 0
		s.lasting = s.dynamic && flags&unix.NFT_SET_TIMEOUT == 0
		if s.verdicts && values != verdictType {
			s.verdicts, s.value = false, keyType(values)
		}
		if s.dynamic {
			t.sets[name] = s
			continue
		}
		if err := s.read(conn, id, name); err != nil {
			return fmt.Errorf("listing the elements of %s: %w", name, err)
		}
		t.sets[name] = s
	}
	return nil
}

// rawElement is an entry of a set's list.
type rawElement struct {
	key     []byte
	verdict string
	value   []byte
	end     bool
	upTo    bool // it is a range by itself, of several fields
}

func (s *set) read(conn *netlink.Conn, id tableID, name string) error {
	messages, err := dump(conn, nfKind(unix.NFT_MSG_GETSETELEM), nfRequest(id.family,
		attrText(unix.NFTA_SET_ELEM_LIST_TABLE, id.name), attrText(unix.NFTA_SET_ELEM_LIST_SET, name)))
	if errors.Is(err, unix.ENOENT) {
		return nil // gone since
	}
	if err != nil {
		return err
	}
	var list []rawElement
	for _, m := range messages {
		if err := eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
			if kind != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				return
			}
			_ = eachAttribute(v, 0, func(_ uint16, v []byte) { list = append(list, readElement(v)) })
		}); err != nil {
			return err
		}
	}
	s.collect(list)
	return nil
}

// setElemKeyEnd is NFTA_SET_ELEM_KEY_END of uapi/linux/netfilter/nf_tables.h, from Linux 5.6 on.
const setElemKeyEnd = 10

func readElement(data []byte) rawElement {
	var e rawElement
	_ = eachAttribute(data, 0, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_SET_ELEM_KEY:
			_ = eachAttribute(v, 0, func(_ uint16, v []byte) { e.key = v })
		case unix.NFTA_SET_ELEM_FLAGS:
			e.end = big32(v)&unix.NFT_SET_ELEM_INTERVAL_END != 0
		case setElemKeyEnd:
			e.upTo = true
		case unix.NFTA_SET_ELEM_DATA:
			_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
				if kind == unix.NFTA_DATA_VALUE {
					e.value = v
				}
				if kind != unix.NFTA_DATA_VERDICT {
					return
				}
				var code uint32
				var chain string
				_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
					switch kind {
					case unix.NFTA_VERDICT_CODE:
						code = big32(v)
					case unix.NFTA_VERDICT_CHAIN:
						chain = text(v)
					}
				})
				e.verdict = encodeVerdict(code, chain)
			})
		}
	})
	return e
}

// collect turns entries into elements; an interval goes from a start to the next end.
func (s *set) collect(list []rawElement) {
	if !s.interval {
		for _, e := range list {
			if s.value != 0 {
				e.verdict = s.value.decode(e.value)
			}
			s.elements[s.key.decode(e.key)] = e.verdict
		}
		return
	}
	slices.SortFunc(list, func(a, b rawElement) int {
		return cmp.Or(slices.Compare(a.key, b.key), boolOrder(a.end, b.end))
	})
	for i, e := range list {
		first, ok := netip.AddrFromSlice(e.key)
		if e.end || !ok {
			continue
		}
		last := netip.AddrFrom4([4]byte{255, 255, 255, 255})
		if i+1 < len(list) {
			if next, ok := netip.AddrFromSlice(list[i+1].key); ok {
				last = next.Prev()
			}
		}
		s.elements[intervalText(first, last)] = e.verdict
	}
}

// boolOrder puts ends before starts of the same key.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func intervalText(first, last netip.Addr) string {
	for bits := 0; bits <= 32; bits++ {
		p := netip.PrefixFrom(first, bits)
		if p.Masked() == p && lastOf(p) == last {
			return p.String()
		}
	}
	return first.String() + "-" + last.String()
}
