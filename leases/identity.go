package leases

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// HWAddr is a hardware address as raw bytes in a string, so that leases stay comparable and immutable.
type HWAddr string

// ClientID identifies a client within a network (RFC 2131 section 2, RFC 4361): opaque bytes.
// Make one by ClientIDFromOption, ClientIDFromHardware or ClientIDFromARP; they never collide.
type ClientID string

// The first byte of a ClientID says where the rest comes from.
const (
	fromHardware = 0 // then the hardware type and the address
	fromOption   = 1 // then the value of option 61
	fromARP      = 2 // then the hardware address: no client, but a machine that uses an address without asking for it
)

// ClientIDFromOption makes the identity of a client that sent a client identifier (option 61); value is the whole
// option, its type byte included. An empty value gives "", which is nobody's identity.
func ClientIDFromOption(value []byte) ClientID {
	if len(value) == 0 {
		return ""
	}
	id := make([]byte, 0, 1+len(value))
	return ClientID(append(append(id, fromOption), value...))
}

// ClientIDFromHardware makes the identity of a client that sent no client identifier, from htype and chaddr (the first
// hlen bytes). An empty address gives "", which is nobody's identity.
func ClientIDFromHardware(htype uint8, addr []byte) ClientID {
	if len(addr) == 0 {
		return ""
	}
	id := make([]byte, 0, 2+len(addr))
	return ClientID(append(append(id, fromHardware, htype), addr...))
}

// ClientIDFromARP makes what stands for the machine that was found using an address which nobody leases. An empty address
// gives "".
func ClientIDFromARP(addr HWAddr) ClientID {
	if addr == "" {
		return ""
	}
	return ClientID(append([]byte{fromARP}, addr...))
}

// Option returns the value of option 61 that id was made from by ClientIDFromOption; ok is false if it was made otherwise.
func (id ClientID) Option() (value []byte, ok bool) {
	if id == "" || id[0] != fromOption {
		return nil, false
	}
	return []byte(id[1:]), true
}

// String gives the bytes as hex with colons: 52:54:00:12:34:56.
func (a HWAddr) String() string { return colonHex(string(a)) }

// MarshalText is String.
func (a HWAddr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what String gives.
func (a *HWAddr) UnmarshalText(text []byte) error {
	raw, err := parseColonHex(string(text))
	if err != nil {
		return fmt.Errorf("hardware address %q: %w", text, err)
	}
	*a = HWAddr(raw)
	return nil
}

// String gives a client identifier as hex with colons (01:52:54:00:12:34:56), and an identity that was made from the
// hardware as mac:52:54:00:12:34:56, or hw32:… for a hardware type other than Ethernet. What stands for a machine that uses
// an address without asking is arp:52:54:00:12:34:56.
func (id ClientID) String() string {
	switch {
	case id == "":
		return ""
	case id[0] == fromOption:
		return colonHex(string(id[1:]))
	case id[0] == fromARP:
		return "arp:" + colonHex(string(id[1:]))
	case id[0] == fromHardware && len(id) > 2:
		if id[1] == 1 {
			return "mac:" + colonHex(string(id[2:]))
		}
		return "hw" + strconv.Itoa(int(id[1])) + ":" + colonHex(string(id[2:]))
	default:
		return "invalid:" + colonHex(string(id))
	}
}

// MarshalText is String.
func (id ClientID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what String gives.
func (id *ClientID) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "" {
		*id = ""
		return nil
	}
	prefix := []byte{fromOption}
	if kind, rest, ok := strings.Cut(s, ":"); ok && kind == "mac" {
		prefix, s = []byte{fromHardware, 1}, rest
	} else if ok && kind == "arp" {
		prefix, s = []byte{fromARP}, rest
	} else if number, isHW := strings.CutPrefix(kind, "hw"); ok && isHW {
		htype, err := strconv.ParseUint(number, 10, 8)
		if err != nil {
			return fmt.Errorf("client %q: hardware type: %w", text, err)
		}
		prefix, s = []byte{fromHardware, byte(htype)}, rest
	}
	raw, err := parseColonHex(s)
	if err == nil && len(raw) == 0 {
		err = errEmpty
	}
	if err != nil {
		return fmt.Errorf("client %q: %w", text, err)
	}
	*id = ClientID(append(prefix, raw...))
	return nil
}

var stateNames = [...]string{Offered: "offered", Bound: "bound", Declined: "declined", Released: "released", Expired: "expired"}

// String gives the state's name in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return "state(" + strconv.Itoa(int(s)) + ")"
}

// MarshalText is String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String gives for a state of a lease.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if name != "" && name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("state %q is unknown", text)
}

func colonHex(raw string) string {
	if raw == "" {
		return ""
	}
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 3*len(raw)-1)
	for i := range len(raw) {
		if i > 0 {
			out = append(out, ':')
		}
		out = append(out, digits[raw[i]>>4], digits[raw[i]&15])
	}
	return string(out)
}

func parseColonHex(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	if len(s)%3 != 2 {
		return nil, errNotHex
	}
	raw := make([]byte, 0, len(s)/3+1)
	for i := 0; i < len(s); i += 3 {
		if i > 0 && s[i-1] != ':' {
			return nil, errNotHex
		}
		var err error
		if raw, err = hex.AppendDecode(raw, []byte(s[i:i+2])); err != nil {
			return nil, errNotHex
		}
	}
	return raw, nil
}
