package dhcpserver

// maxMade has room for everything that appendMade appends: option 12 with a label, 60, 80, 81, 97 and 118.
const maxMade = 2 + 63 + 2 + len(vendorHTTP) + 2 + 2 + 255 + 2 + maxMachineID + 2 + 4

// maxMachineID is the length of option 97: a type and a UUID (RFC 4578 section 2.3).
const maxMachineID = 17

// makesOptions says whether appendMade may have something to append.
func (s *settings) makesOptions(m *message, r reply) bool {
	if r.profile == nil {
		return false
	}
	_, fqdn := m.options.get(optFQDN)
	_, vendor := m.options.get(optVendorClass)
	return r.name != "" || r.rapid || fqdn || m.relayed() || vendor && (r.profile.boot.boots || r.profile.vendorOwn)
}

// appendMade appends the options that depend on the message, each of at most 255 bytes, for a selection to choose from.
func (s *settings) appendMade(b []byte, m *message, r reply) []byte {
	if r.rapid {
		b = append(b, optRapidCommit, 0)
	}
	if subnet, ok := m.options.get(optSubnetSelection); ok && m.relayed() && len(subnet) == 4 {
		b = appendOption(b, optSubnetSelection, subnet) // RFC 3011 section 2.1: it is echoed by whoever heeds it
	}
	if vendor := r.profile.vendorReply(m); vendor != "" {
		b = append(append(b, optVendorClass, byte(len(vendor))), vendor...)
		// What a PXE server says has the client's identifier in it (RFC 4578 section 2.3).
		if id, ok := m.options.get(optMachineID); ok && len(id) <= maxMachineID && vendor == vendorPXE && !r.profile.has(optMachineID) {
			b = appendOption(b, optMachineID, id)
		}
	}
	if r.name != "" && len(r.name) <= 63 && !r.profile.has(optHostName) {
		b = append(append(b, optHostName, byte(len(r.name))), r.name...)
	}
	if data, ok := m.options.get(optFQDN); ok && len(data) >= 3 && r.kind != replyInform {
		b = s.domain.appendFQDN(b, data, r.name)
	}
	return b
}

// essential says whether a made option is sent to clients that don't ask for it, before all others.
func essential(code uint8) bool {
	switch code {
	case optRapidCommit, optSubnetSelection, optVendorClass, optMachineID:
		return true
	default:
		return false
	}
}

// madeOption returns an option of those that appendMade appended, with its header; nil if it isn't there.
func madeOption(made []byte, code uint8) []byte {
	for len(made) > 0 {
		n := 2 + int(made[1])
		if made[0] == code {
			return made[:n]
		}
		made = made[n:]
	}
	return nil
}
