package migrate

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
)

// libvirtEntry is an entry of libvirt's status file (virbr0.status), which its helper of dnsmasq writes.
type libvirtEntry struct {
	Address  string `json:"ip-address"`
	MAC      string `json:"mac-address,omitempty"`
	Hostname string `json:"hostname,omitempty"`
	ClientID string `json:"client-id,omitempty"`
	Expiry   *int64 `json:"expiry-time"`
}

func parseLibvirt(raw json.RawMessage) (l Lease, v6 bool, err error) {
	var e libvirtEntry
	if err := json.Unmarshal(raw, &e); err != nil {
		return l, false, entryError(err)
	}
	if l.Addr, v6, err = parseIPv4(e.Address); err != nil {
		return l, v6, fmt.Errorf("ip-address %q %w", clip(e.Address), err)
	}
	l.State, l.Name, l.Hostname = Active, e.Hostname, e.Hostname
	switch {
	case e.Expiry == nil:
		return l, false, errors.New("no expiry-time")
	case *e.Expiry != 0:
		if l.Expiry, err = unix(*e.Expiry); err != nil {
			return l, false, fmt.Errorf("expiry-time %d %w", *e.Expiry, err)
		}
	}
	if l.HWType, l.HWAddr, err = parseHardware(e.MAC); err != nil {
		return l, false, fmt.Errorf("mac-address %q %w", clip(e.MAC), err)
	}
	if l.ClientID, err = parseHex(e.ClientID); err != nil {
		return l, false, fmt.Errorf("client-id %q %w", clip(e.ClientID), err)
	}
	return l, false, nil
}

// entryError is what is wrong with an entry of a list, without the names of our types.
func entryError(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return fmt.Errorf("want an object, not %s", wrong.Value)
		}
		return fmt.Errorf("%s can't be a %s", clip(wrong.Field), clip(wrong.Value))
	}
	return errors.New(clip(err.Error()))
}

// writeLibvirt writes the leases that are in force, as libvirt does.
func writeLibvirt(w *bufio.Writer, leases []Lease) (omitted int, err error) {
	separator := "[\n"
	for i := range leases {
		l := &leases[i]
		if l.State != Active {
			omitted++
			continue
		}
		var expiry int64
		if !l.Expiry.IsZero() {
			expiry = l.Expiry.Unix()
		}
		e := libvirtEntry{Address: l.Addr.String(), MAC: hardware(l), Hostname: l.Name, ClientID: colonHex(l.ClientID), Expiry: &expiry}
		text, err := json.MarshalIndent(e, "    ", "    ")
		if err != nil {
			return omitted, err
		}
		if _, err := w.WriteString(separator + "    " + string(text)); err != nil {
			return omitted, err
		}
		separator = ",\n"
	}
	end := "\n]\n"
	if separator == "[\n" {
		end = "[\n]\n"
	}
	_, err = w.WriteString(end)
	return omitted, err
}
