package dhcpserver

import "slices"

// Options that the server reads or makes itself (RFC 2132, RFC 3004, RFC 3011, RFC 3046, RFC 3442, RFC 4039, RFC 4578,
// RFC 4702).
const (
	optPad            = 0
	optSubnetMask     = 1
	optRouters        = 3
	optHostName       = 12
	optVendorSpecific = 43
	optRequestedAddr  = 50
	optLeaseTime      = 51
	optOverload       = 52
	optMessageType    = 53
	optServerID       = 54
	optParameterList  = 55
	optText           = 56
	optMaxMessageSize = 57
	optRenewal        = 58
	optRebinding      = 59
	optVendorClass    = 60
	optClientID       = 61
	optTFTPServerName = 66
	optBootFile       = 67
	optUserClass      = 77
	optRapidCommit    = 80
	optFQDN           = 81
	optRelayAgent     = 82
	optArchitecture   = 93
	optMachineID      = 97

	optSubnetSelection = 118
	optClasslessRoutes = 121
	optMicrosoftRoutes = 249 // classless routes, before they had a number
	optEnd             = 255
)

// The values of option 52 are these bits: which of the header's fields hold options.
const (
	overloadFile  = 1
	overloadSname = 2
)

// joinedBit marks an offset into optionIndex.joined; offsets into a message are smaller.
const joinedBit = 0x8000

// span is where an option's data lies. Offset 0 is absent: the header lies there.
type span struct{ off, len uint16 }

// optionIndex finds the options of a message: from the options field and, where option 52 says so, from file and sname;
// those that occur in several pieces are joined (RFC 3396).
type optionIndex struct {
	raw    []byte
	spans  [256]span
	joined []byte // data of options that came in pieces
}

// get returns an option's data, which may be empty, and whether it is there.
func (x *optionIndex) get(code uint8) ([]byte, bool) {
	s := x.spans[code]
	if s.off == 0 {
		return nil, false
	}
	if s.off&joinedBit != 0 {
		off := int(s.off &^ joinedBit)
		return x.joined[off : off+int(s.len)], true
	}
	return x.raw[s.off : int(s.off)+int(s.len)], true
}

// area is a part of a message that holds options.
type area struct{ start, end int }

// pieces counts, an option, in how many pieces it came (2 is many) and their length together.
type pieces struct {
	n     uint8
	total uint16
}

// read indexes the options of a message of at least offsetOptions and at most maxMessage bytes. It returns false if an
// area doesn't end as it should: by END, and with no option that runs out of it. What was read until there stands.
func (x *optionIndex) read(raw []byte) (clean bool) {
	x.raw = raw
	x.spans = [256]span{}
	x.joined = x.joined[:0]

	var seen [256]pieces
	areas := [3]area{{offsetOptions, len(raw)}}
	n := 1
	clean, split := x.scan(areas[0], &seen)
	// RFC 3396 section 5: the options field, then file, then sname. An option 52 within these means nothing.
	overload := x.overload()
	if overload&overloadFile != 0 {
		areas[n] = area{offsetFile, offsetCookie}
		n++
	}
	if overload&overloadSname != 0 {
		areas[n] = area{offsetSname, offsetFile}
		n++
	}
	for _, a := range areas[1:n] {
		ok, more := x.scan(a, &seen)
		clean, split = clean && ok, split || more
	}
	if split {
		x.join(areas[:n], &seen)
	}
	return clean
}

// overload returns the bits of option 52.
func (x *optionIndex) overload() uint8 {
	data, ok := x.get(optOverload)
	if !ok || len(data) != 1 || data[0] > 3 {
		return 0
	}
	return data[0]
}

// scan notes the first piece of every option of an area and measures the others.
func (x *optionIndex) scan(a area, seen *[256]pieces) (clean, split bool) {
	w := walker{raw: x.raw, pos: a.start, end: a.end}
	for w.next() {
		p := &seen[w.code]
		switch {
		case p.n == 0:
			x.spans[w.code] = span{off: uint16(w.off), len: uint16(w.len)}
			*p = pieces{1, uint16(w.len)}
		case joinable(w.code):
			*p = pieces{2, p.total + uint16(w.len)}
			split = true
		}
	}
	return w.clean, split
}

// join puts the pieces of the options that have several one behind the other, in time linear in the message's length
// whatever it holds. scan has measured them: together they are shorter than the message.
func (x *optionIndex) join(areas []area, seen *[256]pieces) {
	size := 0
	for code, p := range seen {
		if p.n > 1 {
			x.spans[code] = span{off: uint16(size) | joinedBit} // len grows below
			size += int(p.total)
		}
	}
	x.joined = slices.Grow(x.joined, size)[:size]
	for _, a := range areas {
		w := walker{raw: x.raw, pos: a.start, end: a.end}
		for w.next() {
			if seen[w.code].n < 2 {
				continue
			}
			s := &x.spans[w.code]
			copy(x.joined[int(s.off&^joinedBit)+int(s.len):], x.raw[w.off:w.off+w.len])
			s.len += uint16(w.len)
		}
	}
}

// joinable says whether several pieces of an option mean one long option. For those of a fixed length a repetition is an
// error, and the first one counts.
func joinable(code uint8) bool {
	switch code {
	case optRequestedAddr, optLeaseTime, optOverload, optMessageType, optServerID, optMaxMessageSize, optRenewal, optRebinding:
		return false
	default:
		return true
	}
}

// walker steps through the options of one area.
type walker struct {
	raw      []byte
	pos, end int

	code     uint8
	off, len int
	clean    bool // after the last step: the area ended by END
}

// next steps to the next option; its code and the place of its data are in w then.
func (w *walker) next() bool {
	for w.pos < w.end {
		code := w.raw[w.pos]
		w.pos++
		if code == optPad {
			continue
		}
		if code == optEnd {
			w.clean = true
			return false
		}
		if w.pos >= w.end || w.pos+1+int(w.raw[w.pos]) > w.end {
			return false
		}
		w.code, w.off, w.len = code, w.pos+1, int(w.raw[w.pos])
		w.pos = w.off + w.len
		return true
	}
	return false
}
