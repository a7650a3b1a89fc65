package dhcpserver

// selection is which options go into a reply beside the fixed ones, in their order.
type selection struct {
	profile *profile
	made    []byte     // options that are made for this reply, with their headers
	codes   [256]uint8 // each once
	n       int
}

// wire returns the i-th option with its header.
func (o *selection) wire(i int) []byte {
	code := o.codes[i]
	if x := o.profile.index[code]; x > 0 {
		return o.profile.options[x-1].wire
	}
	return madeOption(o.made, code)
}

// choose selects from what is made and from the profile of r: first what the reply is nothing without, then what the client's
// parameter request list names, in its order and each once, then what is always sent. A client without such a list gets
// everything.
func (o *selection) choose(m *message, r reply) {
	o.profile = r.profile
	if r.profile == nil {
		return
	}
	asked, ok := m.options.get(optParameterList)
	var taken [256]bool
	add := func(code uint8) {
		if !taken[code] {
			taken[code] = true
			o.codes[o.n] = code
			o.n++
		}
	}
	for rest := o.made; len(rest) > 0; rest = rest[2+int(rest[1]):] {
		if essential(rest[0]) {
			add(rest[0])
		}
	}
	for _, code := range asked {
		if r.profile.has(code) || len(o.made) > 0 && madeOption(o.made, code) != nil {
			add(code)
		}
	}
	if len(o.made) > 0 && madeOption(o.made, optFQDN) != nil {
		add(optFQDN)
	}
	for i := range r.profile.options {
		if opt := &r.profile.options[i]; opt.sending == sendAlways || opt.sending == sendUnlisted && !ok {
			add(opt.code)
		}
	}
}

// lead puts an option first, whether it was selected or not.
func (o *selection) lead(code uint8) {
	at := o.n
	for i, c := range o.codes[:o.n] {
		if c == code {
			at = i
			break
		}
	}
	if at == o.n {
		o.n++
	}
	copy(o.codes[1:at+1], o.codes[:at])
	o.codes[0] = code
}

// packOverloaded fills a reply that is too long for one area: b holds the header and the fixed options from start on. The
// boot file's and the server's name stay where boot ROMs look for them, in the header, as long as what is free beside
// them has room for everything; else they become options as well (RFC 2131 section 4.1), the first ones.
func packOverloaded(b []byte, start, limit int, m *message, order *selection) (_ []byte, dropped bool) {
	const both = overloadFile | overloadSname
	var boot bootFields
	if order.profile != nil {
		boot = order.profile.boot
	}
	free := uint8(both)
	if boot.file != "" {
		free &^= overloadFile
	}
	if boot.sname != "" {
		free &^= overloadSname
	}
	out, dropped := pack(b, start, limit, free, m, order)
	movable := (boot.file == "" || order.profile.has(optBootFile)) && (boot.sname == "" || order.profile.has(optTFTPServerName))
	if !dropped || free == both || !movable {
		return out, dropped
	}
	clear(b[start+offsetSname : start+offsetCookie])
	if boot.sname != "" {
		order.lead(optTFTPServerName)
	}
	if boot.file != "" {
		order.lead(optBootFile)
	}
	return pack(b, start, limit, both, m, order)
}

// pack fills the options field and the header's fields in free. What is too long for file (option 52, RFC 2132 section 9.3)
// takes its room in the options field first; the rest fills up the options field, then file, then sname. What fits nowhere is
// dropped, the client's last wishes first.
func pack(b []byte, start, limit int, free uint8, m *message, order *selection) (_ []byte, dropped bool) {
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

	var file, sname packer
	if free&overloadFile != 0 {
		file.area = b[start+offsetFile : start+offsetCookie]
	}
	if free&overloadSname != 0 {
		sname.area = b[start+offsetSname : start+offsetFile]
	}
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
	if overload := file.finish(overloadFile) | sname.finish(overloadSname); overload != 0 {
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
