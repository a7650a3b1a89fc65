package dnsserver

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// hot is what a worker needs to answer from wire bytes to wire bytes, without allocating: the configuration and the time, the
// same for a whole batch.
type hot struct {
	server *Server
	snap   *snapshot
	view   *view
	clock  time.Time
	now    moment
	// tally counts decisions until they are added to the server's and the reader's own counters.
	tally  tally
	ledger *ledger
}

// glimpse is a question of a batch as far as fast has come with it.
type glimpse struct {
	query
	// question is the name in lower case, its type and the flags that tell answers apart, as cache.find takes it.
	question [maxName + 3]byte
	n        int // length of the name in question; 0: fast doesn't answer this one
	hash     uint64
	chain    *entry // where its answer is looked for
}

// begin takes the configuration and the time for a batch. False: nobody may ask at this address, or every question is logged, which
// serve alone does.
func (h *hot) begin(at netip.AddrPort) bool {
	h.snap = h.server.snap.Load()
	h.view = h.snap.views[at]
	h.clock = time.Now()
	h.now = h.server.cache.moment(h.clock)
	return h.view != nil && !h.view.logged && !h.server.watched()
}

// end adds the batch's decisions to the server's counters, and lets the configuration go: there may be another one before the next batch.
func (h *hot) end() {
	h.snap, h.view = nil, nil
	h.tally.flush(&h.server.stats, h.ledger)
}

// look is the first half of fast: it reads a message, and finds out where in memory the answer is looked for.
func (h *hot) look(g *glimpse, packet []byte, from netip.Addr) {
	if n, ok := g.glance(packet, &g.question); ok && h.snap.admits(h.view, from) {
		g.n = n
		g.hash = h.server.cache.hash(g.question[:n+3])
		g.chain = h.server.cache.chain(g.hash)
		if g.cookied {
			h.server.cookies.complete(&g.query, from, h.clock)
		}
		return
	}
	g.n, g.chain = 0, nil
}

// fast appends the answer to a message that was looked at, if it is in the cache or a plain local name: the same answer that serve
// gives. False: serve is to decide.
func (h *hot) fast(g *glimpse, tcp bool, out []byte) ([]byte, bool) {
	if g.n == 0 {
		return out, false
	}
	if e := h.server.cache.find(g.chain, g.hash, g.question[:g.n+3], h.snap.generation); e != nil {
		if !e.fresh(h.now) || h.now >= moment(e.refresh.Load()) {
			return out, false
		}
		e.touch()
		p := e.packed()
		return h.answer(&g.query, &p, e.kind(), g.limit(tcp), out)
	}
	n := g.question[:g.n]
	if z := h.view.zoneAbove(n); z != nil {
		return h.local(&g.query, z, n, out)
	}
	if g.qtype == dns.TypePTR {
		if addr, ok := arpaAddr(n); ok && h.view.subnet.Contains(addr) {
			return h.reverse(&g.query, addr, n, out)
		}
	}
	if len(h.snap.block.list) > 0 {
		return h.blocked(&g.query, g.hash, n, out)
	}
	return out, false
}

func (h *hot) answer(q *query, p *packed, why reason, limit int, out []byte) ([]byte, bool) {
	if int(p.wireEnd)+q.optRoom()+len(p.options()) > limit {
		return out, false
	}
	h.tally.count(q.qtype, why, int(p.rcode))
	out, _ = q.appendReply(out, p, h.now, limit)
	return out, true
}

// glance reads the messages that most clients send: one question of class IN, nothing else but an OPT without options or with a cookie, as
// dig's and BIND's. It returns the length of the name.
func (q *query) glance(packet []byte, question *[maxName + 3]byte) (n int, ok bool) {
	*q = query{}
	// QR and OPCODE are zero; one question, no records, or one additional.
	if len(packet) < headerSize+5 || packet[2]&0xf8 != 0 || binary.BigEndian.Uint32(packet[4:]) != 1<<16 ||
		packet[8]|packet[9]|packet[10] != 0 || packet[11] > 1 {
		return 0, false
	}
	at := headerSize
	for packet[at] != 0 {
		if packet[at] > 63 {
			return 0, false
		}
		at += 1 + int(packet[at])
		if at >= len(packet) {
			return 0, false
		}
	}
	at++
	n = at - headerSize
	if n > maxName || at+4 > len(packet) || packet[at+2] != 0 || packet[at+3] != dns.ClassINET {
		return 0, false
	}
	end := at + 4
	q.question = packet[headerSize:end]
	q.id = binary.BigEndian.Uint16(packet)
	q.rd, q.ad, q.cd = packet[2]&1 != 0, packet[3]&0x20 != 0, packet[3]&0x10 != 0
	q.qtype, q.qclass = binary.BigEndian.Uint16(packet[at:]), dns.ClassINET
	if packet[11] == 1 {
		if !q.glanceOPT(packet[end:]) {
			return 0, false
		}
	} else if len(packet) != end {
		return 0, false
	}
	copy(question[:], packet[headerSize:at+2])
	lower(question[:n])
	var flags questionFlags
	if q.do {
		flags |= flagDO
	}
	if q.cd {
		flags |= flagCD
	}
	question[n+2] = byte(flags)
	return n, true
}

// glanceOPT reads what follows the question: an OPT owned by the root, of version 0, RFC 6891 section 6.1.2.
func (q *query) glanceOPT(opt []byte) bool {
	if len(opt) < optSize || opt[0] != 0 || opt[1] != 0 || opt[2] != byte(dns.TypeOPT) || opt[6] != 0 ||
		int(binary.BigEndian.Uint16(opt[9:])) != len(opt)-optSize {
		return false
	}
	q.edns, q.size, q.do = true, binary.BigEndian.Uint16(opt[3:]), opt[7]&0x80 != 0
	if len(opt) == optSize {
		return true
	}
	option := opt[optSize:]
	return len(option) >= 4 && option[0] == 0 && option[1] == byte(dns.EDNS0COOKIE) &&
		int(binary.BigEndian.Uint16(option[2:])) == len(option)-4 && q.parseCookie(option[4:])
}
