package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ownEntry is an entry of `labnet leases list -o json`, as docs/cli.md has it.
type ownEntry struct {
	Address      string `json:"address"`
	HardwareType *uint8 `json:"hardware_type"` // absent: Ethernet, or what the client identifier says
	MAC          string `json:"mac"`
	ClientID     string `json:"client_id"`
	Name         string `json:"name"`
	State        string `json:"state"`
	Start        string `json:"start"`
	Expires      string `json:"expires"`
	LastSeen     string `json:"last_seen"`
	Hostname     string `json:"hostname"`
	VendorClass  string `json:"vendor_class"`
}

var ownStates = map[string]State{"bound": Active, "released": Released, "expired": Expired, "declined": Declined}

func parseOwn(raw json.RawMessage) (l Lease, v6 bool, err error) {
	var e ownEntry
	if err := json.Unmarshal(raw, &e); err != nil {
		return l, false, entryError(err)
	}
	if l.Addr, v6, err = parseIPv4(e.Address); err != nil {
		return l, v6, fmt.Errorf("address %q %w", clip(e.Address), err)
	}
	if l.State = ownStates[e.State]; l.State == 0 {
		return l, false, fmt.Errorf("state %q is none of bound, declined, released and expired", clip(e.State))
	}
	if l.HWAddr, err = parseHex(e.MAC); err != nil || len(l.HWAddr) > maxHW {
		return l, false, fmt.Errorf("mac %q %w", clip(e.MAC), errHW)
	}
	l.HWType = 1
	if err := l.ownIdentity(e.ClientID); err != nil {
		return l, false, fmt.Errorf("client_id %q %w", clip(e.ClientID), err)
	}
	if e.HardwareType != nil {
		l.HWType = *e.HardwareType
	}
	l.Name, l.Hostname, l.VendorClass = e.Name, e.Hostname, e.VendorClass
	for _, at := range []struct {
		field string
		from  string
		to    *time.Time
	}{{"start", e.Start, &l.Start}, {"expires", e.Expires, &l.Expiry}, {"last_seen", e.LastSeen, &l.Seen}} {
		if at.from == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, at.from)
		if err == nil {
			*at.to, err = unix(t.Unix())
		}
		if err != nil {
			return l, false, fmt.Errorf("%s %q is no time", at.field, clip(at.from))
		}
	}
	return l, false, nil
}

// ownIdentity reads what tells a client: its identifier, or what stands for it, mac:…, hw6:… or arp:….
func (l *Lease) ownIdentity(text string) (err error) {
	kind, rest, ok := strings.Cut(text, ":")
	number, isHW := strings.CutPrefix(kind, "hw")
	switch {
	case ok && kind == "mac":
	case ok && kind == "arp":
		l.Foreign = true
	case ok && isHW:
		v, err := strconv.ParseUint(number, 10, 8)
		if err != nil {
			return errors.New("has a hardware type that is none")
		}
		l.HWType = uint8(v)
	default:
		l.ClientID, err = parseHex(text)
		return err
	}
	hw, err := parseHex(rest)
	if l.HWAddr == "" {
		l.HWAddr = hw
	}
	if err == nil && hw != l.HWAddr {
		return errors.New("is another machine's than mac")
	}
	return err
}
