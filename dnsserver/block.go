package dnsserver

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/miekg/dns"

	"labnet/dnsserver/blocklist"
)

// Block is the names of the outside that are not answered. Names of ours are never blocked.
type Block struct {
	Files []string // absolute paths of lists, in the formats of package blocklist; read again when they change
	Allow []string // domains that are not blocked, with everything below them, whatever the lists say
	Null  bool     // addresses are answered by 0.0.0.0 and ::, and the rest by NODATA, in place of NXDOMAIN
}

// blocking is the block lists of a configuration, as they were read.
type blocking struct {
	list blocklist.List // empty: nothing is blocked
	null bool
	memo *memo // where list isn't empty
}

// memo is the blocked questions that came last, by hash, so that the next of the same kind is answered as fast as from the cache: a look into a list of a
// million goes all over the memory. A slot is the hash but for its lowest byte, which is where the blocked part begins in the name. There are more names
// to make up below a blocked domain than any cache can hold: here they displace each other, and nothing else.
type memo [1 << 17]atomic.Uint64

func (m *memo) slot(hash uint64) *atomic.Uint64 { return &m[(hash>>8)%uint64(len(m))] }

func (m *memo) get(hash uint64) (at int, ok bool) {
	kept := m.slot(hash).Load()
	return int(kept & 0xff), (kept^hash)>>8 == 0
}

func (m *memo) put(hash uint64, at int) { m.slot(hash).Store(hash&^0xff | uint64(at)) }

const (
	// blockTTL is how long a client may remember that a name is blocked, in seconds: a list that is mended shows soon.
	blockTTL = 10
	// rebindTTL likewise, of an answer that was withheld; it is kept as long.
	rebindTTL = 60
)

// blockedOptions is what clients are told besides: RFC 8914 section 4.16.
var blockedOptions = explain(dns.ExtendedErrorCodeBlocked, "on a block list")

// rcode is that of a blocked name.
func (b *blocking) rcode() int {
	if b.null {
		return dns.RcodeSuccess
	}
	return dns.RcodeNameError
}

// Where a message counts the records of a section that has less than 256.
const (
	answerCount    = 7
	authorityCount = 9
)

// appendBody appends the one record that stands behind the question about a blocked name, and tells where it is counted.
// owner is where in the message the part of the name begins that is blocked.
func (b *blocking) appendBody(out []byte, qtype uint16, owner int) (body []byte, count int) {
	switch {
	case b.null && qtype == dns.TypeA:
		return append(appendRecordHead(out, headerSize, qtype, blockTTL, 4), make([]byte, 4)...), answerCount
	case b.null && qtype == dns.TypeAAAA:
		return append(appendRecordHead(out, headerSize, qtype, blockTTL, 16), make([]byte, 16)...), answerCount
	}
	return appendSOA(out, owner, blockTTL), authorityCount
}

// appendRecordHead appends a record up to its data. owner is where in the message its name begins.
func appendRecordHead(out []byte, owner int, rtype uint16, ttl uint32, length int) []byte {
	out = binary.BigEndian.AppendUint16(out, 0xc000|uint16(owner))
	out = binary.BigEndian.AppendUint16(out, rtype)
	out = binary.BigEndian.AppendUint16(out, dns.ClassINET)
	out = binary.BigEndian.AppendUint32(out, ttl)
	return binary.BigEndian.AppendUint16(out, uint16(length))
}

const nobody = "\x06nobody\x07invalid\x00"

// appendSOA appends the SOA of a zone that there is nothing in but its apex, which names itself as its server, RFC 6303 section 3: with it, clients
// remember for ttl seconds that nothing is there (RFC 2308 section 5).
func appendSOA(out []byte, owner int, ttl uint32) []byte {
	out = appendRecordHead(out, owner, dns.TypeSOA, ttl, 2+len(nobody)+20)
	out = binary.BigEndian.AppendUint16(out, 0xc000|uint16(owner))
	out = append(out, nobody...)
	for _, number := range [...]uint32{1, 3600, 600, 86400, ttl} {
		out = binary.BigEndian.AppendUint32(out, number)
	}
	return out
}

// blocked answers for a name that is blocked.
func (h *hot) blocked(q *query, hash uint64, n, out []byte) ([]byte, bool) {
	at, ok := h.snap.block.memo.get(hash)
	if !ok {
		var verdict blocklist.Verdict
		verdict, at = h.snap.block.list.Match(n)
		if verdict != blocklist.Blocked || !plainType(q.qtype) || !h.snap.outside(n) {
			return out, false
		}
		h.snap.block.memo.put(hash, at)
	}
	start := len(out)
	var header [headerSize]byte
	out = append(append(out, header[:]...), q.question...)
	rcode := h.snap.block.rcode()
	out, count := h.snap.block.appendBody(out, q.qtype, headerSize+at)
	m := out[start:]
	q.header(m, rcode)
	m[5], m[count] = 1, 1
	if q.edns {
		out = q.appendOPT(out, start, rcode, blockedOptions, plainSize)
	}
	h.tally.count(q.qtype, blocked, rcode)
	return out, true
}

// outside tells whether nothing here speaks for a name; where it isn't sure, it says no.
func (snap *snapshot) outside(n []byte) bool {
	if _, override := snap.overrides.nodes[name(n)]; override || snap.wildcards || n[0] == 0 || n[1+n[0]] == 0 || snap.hosts.has(n) {
		return false
	}
	for ; n[0] != 0; n = n[1+n[0]:] {
		if snap.zones[name(n)] != nil {
			return false
		}
		if _, special := snap.special[name(n)]; special {
			return false
		}
	}
	return snap.zones[root] == nil
}

// newBlocking makes the block lists of a configuration of what was read.
func newBlocking(cfg *Block, files blockFiles) (blocking, error) {
	b := blocking{null: cfg.Null}
	var paths []string
	for _, path := range cfg.Files {
		if f := files[path]; f != nil && f.content.set != nil && !slices.Contains(paths, path) {
			paths = append(paths, path)
			b.list = append(b.list, f.content.set)
		}
	}
	allow, err := blocklist.Allow(cfg.Allow)
	if err != nil {
		return b, fmt.Errorf("domains that are never blocked: %w", err)
	}
	if len(b.list) == 0 {
		return b, nil
	}
	if allow.Len() > 0 {
		b.list = append(b.list, allow)
	}
	b.memo = new(memo)
	return b, nil
}
