package dhcpserver

import (
	"encoding/binary"
	"net/netip"
)

// replyKind is what a reply is.
type replyKind uint8

const (
	replyNone replyKind = iota
	replyOffer
	replyAck
	replyInform // a DHCPACK that answers a DHCPINFORM
	replyNak
)

// messageType is option 53 of the reply.
func (k replyKind) messageType() messageType {
	switch k {
	case replyOffer:
		return typeOffer
	case replyNak:
		return typeNak
	default:
		return typeAck
	}
}

func (k replyKind) String() string {
	return [...]string{"none", "offer", "ack", "ack", "nak"}[k]
}

// minReply is the length of a BOOTP message; some clients drop shorter ones.
const minReply = 300

// Offsets within a reply that stand still, so that the times of a DHCPACK can be shortened after it is encoded: options
// 53, 54, 51, 58 and 59 come first, each with its header.
const (
	offsetLeaseTime = offsetOptions + 3 + 6 + 2
	offsetRenewal   = offsetLeaseTime + 4 + 2
	offsetRebinding = offsetRenewal + 4 + 2
)

// reply is what a reply says beside what it copies from the request.
type reply struct {
	kind      replyKind
	reason    Reason     // of a NAK
	yiaddr    netip.Addr // of an OFFER or an ACK
	profile   *profile   // of an OFFER or an ACK
	name      string     // the label that goes with the lease, "" for none
	rapid     bool       // an ACK that answers a DISCOVER (RFC 4039)
	broadcast bool       // set the broadcast flag, for the relay
}

// appendReply appends the reply r to the request m. The lengths and the order of its options follow RFC 2131 sections
// 4.1 and 4.3.1, RFC 3046 section 2.2, RFC 3396, RFC 6842 and the client's parameter request list. dropped says that
// the client doesn't take messages long enough for everything.
func (s *settings) appendReply(b []byte, m *message, r reply) (_ []byte, dropped bool) {
	start := len(b)
	limit := start + s.maxReply(m)
	b = s.appendFixed(b, m, r)
	head := len(b)

	var order selection
	if s.makesOptions(m, r) {
		order.made = s.appendMade(make([]byte, 0, maxMade), m, r)
	}
	order.choose(m, r)
	for i := range order.n {
		b = append(b, order.wire(i)...)
	}
	if id, ok := m.options.get(optClientID); ok {
		b = appendOption(b, optClientID, id)
	}
	b = appendRelayAgent(b, m)
	b = append(b, optEnd)
	if len(b) > limit {
		b, dropped = packOverloaded(b[:head], start, limit, m, &order)
	}
	for len(b) < start+minReply {
		b = append(b, optPad)
	}
	return b, dropped
}

// maxReply is how long the reply to m may be: option 57 counts the whole datagram, as the 576 bytes of RFC 2131 section 2 do.
func (s *settings) maxReply(m *message) int {
	size := minDatagram
	if v, ok := m.options.get(optMaxMessageSize); ok && len(v) == 2 {
		size = max(size, int(binary.BigEndian.Uint16(v)))
	}
	return min(size, s.mtu) - ipv4HeaderLen - udpHeaderLen
}

// appendFixed appends the header and the options that every reply of its kind has, in an order of our own.
func (s *settings) appendFixed(b []byte, m *message, r reply) []byte {
	start := len(b)
	b = append(b, m.raw[:offsetSname]...) // htype, hlen, xid, flags, giaddr and chaddr are echoed
	h := b[start:]
	h[0] = opReply
	h[3] = 0                            // hops
	clear(h[8:offsetFlags])             // secs
	clear(h[offsetChaddr+int(m.hlen):]) // what follows the address in chaddr is nobody's
	clear(h[offsetCiaddr:offsetGiaddr]) // ciaddr, yiaddr, siaddr
	// RFC 2131 table 3: only an ACK repeats ciaddr, and in a DISCOVER it means nothing.
	if (r.kind == replyAck || r.kind == replyInform) && m.kind != typeDiscover {
		copy(h[offsetCiaddr:], m.raw[offsetCiaddr:offsetYiaddr])
	}
	if r.kind == replyOffer || r.kind == replyAck {
		yiaddr := r.yiaddr.As4()
		copy(h[offsetYiaddr:], yiaddr[:])
	}
	if r.broadcast {
		h[offsetFlags] |= flagBroadcast >> 8
	}
	var names [offsetCookie - offsetSname]byte
	b = append(b, names[:]...)
	if r.profile != nil {
		r.profile.boot.put(b[start:])
	}
	b = append(b, cookie[:]...)

	b = append(b, optMessageType, 1, byte(r.kind.messageType()))
	server := s.serverID(m).As4()
	b = append(append(b, optServerID, 4), server[:]...)
	switch r.kind {
	case replyNak:
		return appendOption(b, optText, []byte(nakText(r.reason)))
	case replyOffer, replyAck:
		b = appendTimes(b, seconds(r.profile.leaseTime), jitterSeed(m))
	}
	// RFC 2132 section 3.3: the mask stands before the routers. It is sent unasked: without it a client falls back to classes.
	return append(append(b, optSubnetMask, 4), s.mask[:]...)
}

// appendTimes appends options 51, 58 and 59. A lease without end has no times to renew.
func appendTimes(b []byte, lease uint32, seed uint64) []byte {
	b = binary.BigEndian.AppendUint32(append(b, optLeaseTime, 4), lease)
	if lease == 0xffffffff {
		return b
	}
	t1, t2 := renewalTimes(lease, seed)
	b = binary.BigEndian.AppendUint32(append(b, optRenewal, 4), t1)
	return binary.BigEndian.AppendUint32(append(b, optRebinding, 4), t2)
}

// renewalTimes returns T1 and T2: 0.5 and 0.875 of the lease (RFC 2131 section 4.4.5), each up to 5 % less or more, so
// that guests that were started together don't renew together for ever.
func renewalTimes(lease uint32, seed uint64) (t1, t2 uint32) {
	const scale = 1 << 16
	// 0.95 to 1.05 in units of 1/scale.
	factor := scale*95/100 + seed%(scale/10+1)
	t1 = uint32(uint64(lease) * factor / (scale * 2))
	t2 = uint32(uint64(lease) * factor * 7 / (scale * 8))
	return max(t1, 1), max(t2, 1)
}

// jitterSeed is the same for the OFFER and the ACK of one exchange, and differs between clients and exchanges.
func jitterSeed(m *message) uint64 {
	h := uint64(m.xid)
	for _, c := range m.hardware() {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return h >> 13
}

// shortenTimes rewrites the times of an encoded DHCPACK so that the lease isn't longer than lease seconds.
func shortenTimes(message []byte, lease uint32, seed uint64) {
	old := binary.BigEndian.Uint32(message[offsetLeaseTime:])
	if old <= lease {
		return
	}
	binary.BigEndian.PutUint32(message[offsetLeaseTime:], lease)
	if old == 0xffffffff {
		return // it has no options 58 and 59: the client takes the usual fractions
	}
	t1, t2 := renewalTimes(lease, seed)
	binary.BigEndian.PutUint32(message[offsetRenewal:], t1)
	binary.BigEndian.PutUint32(message[offsetRebinding:], t2)
}

// appendRelayAgent echoes option 82 as it came, if a relay added it (RFC 3046 section 2.2).
func appendRelayAgent(b []byte, m *message) []byte {
	if data, ok := m.options.get(optRelayAgent); ok && m.relayed() {
		return appendOption(b, optRelayAgent, data)
	}
	return b
}

// appendOption appends an option, in pieces of at most 255 bytes (RFC 3396).
func appendOption(b []byte, code uint8, data []byte) []byte {
	for len(data) > 255 {
		b = append(b, code, 255)
		b = append(b, data[:255]...)
		data = data[255:]
	}
	b = append(b, code, byte(len(data)))
	return append(b, data...)
}
