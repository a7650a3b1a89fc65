package dhcpserver

import (
	"bytes"
	"net/netip"
	"time"

	"labnet/leases"
)

// maxText bounds what is kept of the names and texts that a client sends; maxClientID what identifies it.
const (
	maxText     = 255
	maxClientID = 255
)

// identities turns messages into the lease table's clients. Clients that came lately are remembered, so that the
// strings of one are made once and not for each of its messages. It belongs to one goroutine.
type identities struct {
	key           []byte
	recent, older map[string]leases.Client // two generations: older goes when recent is full
}

// Bounds of what identities remembers.
const (
	maxRecent    = 4096
	maxRecentKey = 320
)

// client says who sent m, by policy; ok is false if nothing in m tells (row 11 of the decisions: no identifier, no address).
func (x *identities) client(m *message, policy IdentityPolicy) (c leases.Client, ok bool) {
	id, _ := m.options.get(optClientID)
	id = id[:min(len(id), maxClientID)]
	name := requestedName(m)
	vendor, _ := m.options.get(optVendorClass)
	vendor = vendor[:min(len(vendor), maxText)]

	// Each part with its length, so that no two clients have the same key.
	k := append(x.key[:0], byte(policy), m.htype, m.hlen)
	k = append(k, m.hardware()...)
	k = append(append(k, byte(len(id))), id...)
	k = append(append(k, byte(len(name))), name...)
	k = append(append(k, byte(len(vendor))), vendor...)
	x.key = k
	if c, ok := x.recent[string(k)]; ok {
		return c, c.ID != ""
	}
	c, found := x.older[string(k)]
	if !found {
		c = newClient(m, policy, id, name, vendor)
	}
	if len(k) <= maxRecentKey {
		x.remember(string(k), c)
	}
	return c, c.ID != ""
}

func (x *identities) remember(key string, c leases.Client) {
	if x.recent == nil {
		x.recent, x.older = make(map[string]leases.Client), make(map[string]leases.Client)
	}
	if len(x.recent) >= maxRecent {
		x.recent, x.older = x.older, x.recent
		clear(x.recent) // what it has grown to stays
	}
	x.recent[key] = c
}

// newClient is the client of RFC 2131 section 4.2: its identifier, else its hardware type and address.
func newClient(m *message, policy IdentityPolicy, id, name, vendor []byte) leases.Client {
	c := leases.Client{
		HWType:        m.htype,
		HWAddr:        leases.HWAddr(m.hardware()),
		RequestedName: string(name),
		VendorClass:   string(vendor),
	}
	c.ID = policy.Identify(m.htype, m.hardware(), id)
	return c
}

// Identify returns who a client is that sends this client identifier (the value of option 61; nil: none) from this hardware: "" if neither
// says it. Imported leases are their clients' by it.
func (p IdentityPolicy) Identify(htype uint8, hw, id []byte) leases.ClientID {
	if p != IdentityMAC && len(id) > 0 {
		return leases.ClientIDFromOption(id[:min(len(id), maxClientID)])
	}
	return leases.ClientIDFromHardware(htype, hw)
}

// IdentifyClone returns who the client is if another machine is who Identify says: "" where the policy doesn't tell them apart.
func (p IdentityPolicy) IdentifyClone(hw, id []byte) leases.ClientID {
	if p != IdentityAuto || len(id) == 0 || len(hw) == 0 {
		return ""
	}
	return leases.ClientIDFromOption(append(bytes.Clone(id[:min(len(id), maxClientID)]), hw...))
}

// clone is the client that c is if another active one has its identifier: keyed by identifier and hardware address.
func clone(m *message, c leases.Client) leases.Client {
	id, _ := m.options.get(optClientID)
	c.ID = IdentityAuto.IdentifyClone(m.hardware(), id)
	return c
}

// liveHolder says whether l is the running lease of another machine than hw that was heard of lately: five eighths of a lease
// ago, since the jitter of T1 and a lost message let a client that lives renew after more than half of it.
func liveHolder(l leases.Lease, hw leases.HWAddr, now time.Time) bool {
	if l.HWAddr == hw || !active(l, now) {
		return false
	}
	return l.Expiry.IsZero() || now.Sub(l.LastSeen) <= l.Expiry.Sub(l.LastSeen)/8*5
}

// active says whether l is a binding that still runs.
func active(l leases.Lease, now time.Time) bool {
	return l.State == leases.Bound && (l.Expiry.IsZero() || now.Before(l.Expiry))
}

// requestedName is the name that the client asks for: that of option 81 (RFC 4702 section 3) before that of option 12.
func requestedName(m *message) []byte {
	if fqdn, ok := m.options.get(optFQDN); ok && len(fqdn) > 3 {
		const encoded = 0x04 // the E bit: labels as DNS has them
		name := fqdn[3:]
		if fqdn[0]&encoded != 0 {
			name = firstLabel(name)
		}
		if name = bound(name); len(name) > 0 {
			return name
		}
	}
	name, _ := m.options.get(optHostName)
	return bound(name)
}

// firstLabel is the first label of a name in the encoding of DNS; the others are the domain, which is ours to give.
func firstLabel(b []byte) []byte {
	if len(b) == 0 || int(b[0]) > len(b)-1 || b[0] > 63 {
		return nil
	}
	return b[1 : 1+int(b[0])]
}

// bound cuts trailing zeros (RFC 2132 section 2: some clients send them) and what is too long.
func bound(b []byte) []byte {
	return bytes.TrimRight(b[:min(len(b), maxText)], "\x00")
}

// hardwareText is a hardware address as people write it.
func hardwareText(hw leases.HWAddr) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, 3*len(hw))
	for i := range len(hw) {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, hex[hw[i]>>4], hex[hw[i]&15])
	}
	return string(b)
}

// addrText is an address for logs, "" if there is none.
func addrText(a netip.Addr) string {
	if !a.IsValid() || a.IsUnspecified() {
		return ""
	}
	return a.String()
}
