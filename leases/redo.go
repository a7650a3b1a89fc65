package leases

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
)

// What a commit writes to the redo log: a version, the number of its leases u32, and they one behind the other, each as its
// fields in the order of Lease; texts with their length before them, times in Unix seconds.
const (
	redoVersion = 1
	redoHead    = 1 + 4
)

var errRedo = errors.New("the redo log holds what this labnet can't read")

// appendRedo appends a commit.
func appendRedo(b []byte, leases []Lease) []byte {
	b = append(b, redoVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(leases)))
	for i := range leases {
		l := &leases[i]
		addr := l.Addr.As4()
		b = append(b, addr[:]...)
		b = append(b, byte(l.State), l.HWType, bit(l.Reserved))
		for _, text := range [...]string{l.Network, string(l.ID), string(l.HWAddr), l.Name, l.RequestedName, l.VendorClass} {
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
		b = binary.AppendVarint(b, floorUnix(l.Start))
		b = binary.AppendVarint(b, ceilUnix(l.Expiry))
		b = binary.AppendVarint(b, floorUnix(l.LastSeen))
	}
	return b
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// redoCount is how many leases a commit has, as it says itself: none more than its bytes allow.
func redoCount(commit []byte) int {
	if len(commit) < redoHead || commit[0] != redoVersion {
		return 0
	}
	return min(int(binary.BigEndian.Uint32(commit[1:])), len(commit)/redoLeast)
}

// redoLeast is the shortest lease: address, state, hardware type and reservation, and a byte for each other field.
const redoLeast = 4 + 3 + 6 + 3

// parseRedo appends the leases of a commit.
func parseRedo(leases []Lease, commit []byte) ([]Lease, error) {
	if len(commit) < redoHead || commit[0] != redoVersion {
		return leases, errRedo
	}
	before := len(leases)
	r := redoReader{raw: commit, all: string(commit), pos: redoHead}
	for r.pos < len(r.raw) {
		head := r.take(4 + 3)
		if r.bad {
			break
		}
		l := Lease{Addr: netip.AddrFrom4([4]byte([]byte(head[:4]))), State: State(head[4]), HWType: head[5], Reserved: head[6] != 0}
		l.Network = r.text()
		l.ID = ClientID(r.text())
		l.HWAddr = HWAddr(r.text())
		l.Name = r.text()
		l.RequestedName = r.text()
		l.VendorClass = r.text()
		l.Start = fromUnix(r.number())
		l.Expiry = fromUnix(r.number())
		l.LastSeen = fromUnix(r.number())
		if l.State < Bound || l.State > Expired {
			r.bad = true
		}
		leases = append(leases, l)
	}
	if r.bad || len(leases)-before != int(binary.BigEndian.Uint32(commit[1:])) {
		return leases, errRedo
	}
	return leases, nil
}

// redoReader reads fields; bad says that one of them wasn't there.
type redoReader struct {
	raw []byte
	all string // the same: texts are parts of it
	pos int
	bad bool
}

// take returns the next n bytes, and "" if there aren't as many.
func (r *redoReader) take(n int) string {
	if n > len(r.all)-r.pos {
		r.fail()
		return ""
	}
	text := r.all[r.pos : r.pos+n]
	r.pos += n
	return text
}

func (r *redoReader) text() string {
	n, size := binary.Uvarint(r.raw[r.pos:])
	if size <= 0 || n > math.MaxInt32 {
		r.fail()
		return ""
	}
	r.pos += size
	return r.take(int(n))
}

func (r *redoReader) number() int64 {
	v, size := binary.Varint(r.raw[r.pos:])
	if size <= 0 {
		r.fail()
		return 0
	}
	r.pos += size
	return v
}

func (r *redoReader) fail() { r.pos, r.bad = len(r.raw), true }
