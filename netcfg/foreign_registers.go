package netcfg

import (
	"bytes"
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// registers are those of a rule: words of four bytes, of which some are known.
type registers struct {
	words [16][4]byte
	known [16]bool
}

// word is where a register begins: the kernel has names for words, and older ones for four of them together.
func word(register uint32) int {
	if register >= unix.NFT_REG32_00 {
		return int(register - unix.NFT_REG32_00)
	}
	return int(register-unix.NFT_REG_1) * 4
}

func (r *registers) set(register uint32, value []byte, known bool) {
	at := word(register)
	for ; at >= 0 && at < len(r.words) && len(value) > 0; at++ {
		r.words[at] = [4]byte{}
		n := copy(r.words[at][:], value)
		r.known[at], value = known, value[n:]
	}
}

func (r *registers) get(register uint32, size int) (value []byte, known bool) {
	at := word(register)
	known = true
	for ; len(value) < size; at++ {
		if at < 0 || at >= len(r.words) {
			return make([]byte, size), false
		}
		value, known = append(value, r.words[at][:]...), known && r.known[at]
	}
	return value[:size], known
}

// attributeNumbers are the numbers among an expression's attributes, by their kind.
func attributeNumbers(e expression) (list [16]uint32) {
	_ = eachAttribute(e.data, 0, func(kind uint16, v []byte) {
		if int(kind) < len(list) && len(v) == 4 {
			list[kind] = big32(v)
		}
	})
	return list
}

// value is a nested value of an expression.
func value(e expression, of uint16) (out []byte) {
	_ = eachAttribute(e.data, 0, func(kind uint16, v []byte) {
		if kind == of {
			_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
				if kind == unix.NFTA_DATA_VALUE {
					out = v
				}
			})
		}
	})
	return out
}

// load puts what a packet has into a register.
func (r *registers) load(p *packet, e expression) {
	n := attributeNumbers(e)
	native := func(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
	var v []byte
	switch e.name {
	case "meta":
		v = p.meta(n[unix.NFTA_META_KEY])
		if n[unix.NFTA_META_SREG] != 0 {
			return // sets a mark, say
		}
		r.set(n[unix.NFTA_META_DREG], orZeros(v, 16), v != nil)
	case "payload":
		header, offset, size := p.header(n[unix.NFTA_PAYLOAD_BASE]), n[unix.NFTA_PAYLOAD_OFFSET], n[unix.NFTA_PAYLOAD_LEN]
		if end := offset + size; size <= 64 && end >= offset && int(end) <= len(header) {
			v = header[offset:end]
		}
		r.set(n[unix.NFTA_PAYLOAD_DREG], orZeros(v, int(min(size, 64))), v != nil)
	case "ct":
		if n[unix.NFTA_CT_SREG] != 0 {
			return
		}
		switch n[unix.NFTA_CT_KEY] {
		case unix.NFT_CT_STATE:
			v = native(uint32(p.state))
		case unix.NFT_CT_STATUS:
			// Of a connection's bits only those of translation are asked about before it is confirmed.
			v = native(0)
			if p.translated {
				v = native(ipsDstNAT)
			}
		}
		r.set(n[unix.NFTA_CT_DREG], orZeros(v, 16), v != nil)
	case "fib":
		if n[unix.NFTA_FIB_RESULT] == unix.NFT_FIB_RESULT_ADDRTYPE {
			kind := p.kind
			if n[unix.NFTA_FIB_FLAGS]&unix.NFTA_FIB_F_SADDR != 0 {
				kind = p.srcKind
			}
			v = native(uint32(kind))
		}
		r.set(n[unix.NFTA_FIB_DREG], orZeros(v, 16), v != nil)
	}
}

func orZeros(v []byte, size int) []byte {
	if v == nil {
		return make([]byte, size)
	}
	return v
}

// header is a packet's network or transport header; others aren't known.
func (p *packet) header(base uint32) []byte {
	switch base {
	case unix.NFT_PAYLOAD_NETWORK_HEADER:
		return p.network()
	case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
		return p.transport()
	}
	return nil
}

// meta is what is known of a packet beside its bytes; nil for what isn't.
func (p *packet) meta(key uint32) []byte {
	switch key {
	case unix.NFT_META_PROTOCOL:
		return binary.BigEndian.AppendUint16(nil, unix.ETH_P_IP)
	case unix.NFT_META_NFPROTO:
		return []byte{unix.NFPROTO_IPV4}
	case unix.NFT_META_L4PROTO:
		return []byte{p.proto}
	case unix.NFT_META_MARK:
		return make([]byte, 4)
	case unix.NFT_META_IIF:
		return binary.NativeEndian.AppendUint32(nil, uint32(p.in.index))
	case unix.NFT_META_OIF:
		return binary.NativeEndian.AppendUint32(nil, uint32(p.out.index))
	case unix.NFT_META_IIFNAME:
		return ifname(p.in.name)
	case unix.NFT_META_OIFNAME:
		return ifname(p.out.name)
	}
	return nil
}

func (r *registers) bitwise(e expression) {
	n := attributeNumbers(e)
	v, known := r.get(n[unix.NFTA_BITWISE_SREG], int(min(n[unix.NFTA_BITWISE_LEN], 64)))
	mask, xor := value(e, unix.NFTA_BITWISE_MASK), value(e, unix.NFTA_BITWISE_XOR)
	if len(mask) != len(v) || len(xor) != len(v) {
		known = false // a shift, or another register's value
	} else {
		for i := range v {
			v[i] = v[i]&mask[i] ^ xor[i]
		}
	}
	r.set(n[unix.NFTA_BITWISE_DREG], v, known)
}

// byteorder turns numbers of some bytes around. All architectures that we build for are little-endian.
func (r *registers) byteorder(e expression) {
	n := attributeNumbers(e)
	v, known := r.get(n[unix.NFTA_BYTEORDER_SREG], int(min(n[unix.NFTA_BYTEORDER_LEN], 64)))
	if size := int(n[unix.NFTA_BYTEORDER_SIZE]); size > 0 {
		for part := range slices.Chunk(v, size) {
			slices.Reverse(part)
		}
	}
	r.set(n[unix.NFTA_BYTEORDER_DREG], v, known)
}

func (r *registers) compare(e expression) answer {
	n := attributeNumbers(e)
	want := value(e, unix.NFTA_CMP_DATA)
	have, known := r.get(n[unix.NFTA_CMP_SREG], len(want))
	if !known || len(want) == 0 {
		return unknown
	}
	order := bytes.Compare(have, want)
	switch n[unix.NFTA_CMP_OP] {
	case unix.NFT_CMP_EQ:
		return tell(order == 0)
	case unix.NFT_CMP_NEQ:
		return tell(order != 0)
	case unix.NFT_CMP_LT:
		return tell(order < 0)
	case unix.NFT_CMP_LTE:
		return tell(order <= 0)
	case unix.NFT_CMP_GT:
		return tell(order > 0)
	case unix.NFT_CMP_GTE:
		return tell(order >= 0)
	}
	return unknown
}

func (r *registers) within(e expression) answer {
	n := attributeNumbers(e)
	low, high := value(e, unix.NFTA_RANGE_FROM_DATA), value(e, unix.NFTA_RANGE_TO_DATA)
	have, known := r.get(n[unix.NFTA_RANGE_SREG], len(low))
	if !known || len(low) == 0 || len(low) != len(high) {
		return unknown
	}
	inside := bytes.Compare(low, have) <= 0 && bytes.Compare(have, high) <= 0
	return tell(inside == (n[unix.NFTA_RANGE_OP] == 0))
}
