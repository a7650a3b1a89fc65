package hooks

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"time"
)

// Event is what a hook is told. Its JSON is stable: fields are added, never renamed or removed.
type Event struct {
	ID      string    `json:"id"` // no other event ever has it; an event that is sent again has the same
	Event   string    `json:"event"`
	Time    time.Time `json:"time"`
	Network string    `json:"network"`
	Lease   Lease     `json:"lease"`            // as it is since
	Before  *Lease    `json:"before,omitempty"` // as it was, where there was one at the address
	// Missed is how many events the hook should have had since the last one that reached it. The Runner sets it.
	Missed uint64 `json:"missed,omitempty"`
}

// Lease has the names of `labnet leases -o json`.
type Lease struct {
	Network     string     `json:"network"`
	Address     netip.Addr `json:"address"`
	MAC         string     `json:"mac"`
	ClientID    string     `json:"client_id"`
	Name        string     `json:"name"` // a DNS label, or ""
	State       string     `json:"state"`
	Reserved    bool       `json:"reserved"`
	Start       time.Time  `json:"start,omitzero"`
	Expires     time.Time  `json:"expires,omitzero"` // zero: never
	LastSeen    time.Time  `json:"last_seen,omitzero"`
	Hostname    string     `json:"hostname"`     // any bytes that a guest sent
	VendorClass string     `json:"vendor_class"` // likewise

	HardwareType uint8 `json:"hardware_type,omitempty"` // of ARP; 0: Ethernet
}

// body is the event as it is sent, one line.
func (e *Event) body() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(e)
	return text.Bytes(), err
}
