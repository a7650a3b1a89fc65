package dhcpserver

// selection is which of a profile's options go into a reply, in their order.
type selection struct {
	profile *profile
	list    [256]uint8 // indexes of profile.options
	n       int
}

// wire returns the i-th option with its header.
func (o *selection) wire(i int) []byte { return o.profile.options[o.list[i]].wire }

// choose selects from the profile of r: what the client's parameter request list names, in its order and each once, then
// what is always sent. A client without such a list gets everything.
func (o *selection) choose(m *message, r reply) {
	o.profile = r.profile
	if r.profile == nil {
		return
	}
	asked, ok := m.options.get(optParameterList)
	var taken [256]bool
	for _, code := range asked {
		if i := r.profile.index[code]; i > 0 && !taken[code] {
			taken[code] = true
			o.add(i - 1)
		}
	}
	for i := range r.profile.options {
		if opt := &r.profile.options[i]; (opt.always || !ok) && !taken[opt.code] {
			o.add(uint8(i))
		}
	}
}

func (o *selection) add(i uint8) {
	o.list[o.n] = i
	o.n++
}

// packOverloaded fills a reply that is too long for one area: b holds the header and the fixed options from start on.
// What is too long for file (option 52, RFC 2132 section 9.3) takes its room in the options field first; the rest fills
// up the options field, then file, then sname. What fits nowhere is dropped, the client's last wishes first.
func packOverloaded(b []byte, start, limit int, m *message, order *selection) (_ []byte, dropped bool) {
	var tail [maxMessage * 2]byte
	// The relay needs its option 82, and the client its identifier back; should not even these fit, the relay goes first.
	end := appendRelayAgent(tail[:0], m)
	if id, ok := m.options.get(optClientID); ok {
		withID := appendRelayAgent(appendOption(tail[len(end):len(end)], optClientID, id), m)
		if len(b)+len(withID)+1 <= limit {
			end = withID
		} else {
			dropped = true
		}
	}
	if len(b)+len(end)+1 > limit {
		end, dropped = nil, true
	}
	const overloadLen = 3
	room := limit - len(b) - len(end) - 1 - overloadLen

	file := packer{area: b[start+offsetFile : start+offsetCookie]}
	sname := packer{area: b[start+offsetSname : start+offsetFile]}
	var inMain [256]bool
	for i := range order.n {
		if wire := order.wire(i); len(wire) > len(file.area)-1 && len(wire) <= room {
			inMain[i] = true
			room -= len(wire)
		}
	}
	for i := range order.n {
		wire := order.wire(i)
		switch {
		case inMain[i]:
		case len(wire) <= room:
			inMain[i] = true
			room -= len(wire)
		case file.put(wire), sname.put(wire):
		default:
			dropped = true
		}
	}
	if overload := file.finish(1) | sname.finish(2); overload != 0 {
		b = append(b, optOverload, 1, overload)
	}
	for i := range order.n {
		if inMain[i] {
			b = append(b, order.wire(i)...)
		}
	}
	b = append(b, end...)
	return append(b, optEnd), dropped
}

// packer fills sname or file with options.
type packer struct {
	area []byte
	used int
}

// put adds an option if it and END fit.
func (p *packer) put(wire []byte) bool {
	if p.used+len(wire)+1 > len(p.area) {
		return false
	}
	p.used += copy(p.area[p.used:], wire)
	return true
}

// finish ends the area, if anything is in it, and returns its bit of option 52.
func (p *packer) finish(bit uint8) uint8 {
	if p.used == 0 {
		return 0
	}
	p.area[p.used] = optEnd
	return bit
}
