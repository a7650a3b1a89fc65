package handover

import (
	"encoding/hex"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// clientID is the client identifier by which the uplink's DHCP client made itself known, as far as it tells; none where it sent none, as
// dhclient does: then servers know a client by its MAC address.
func (h *Host) clientID(uplink link) []byte {
	for line := range strings.Lines(h.read("/run/systemd/netif/leases", strconv.Itoa(uplink.index))) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "CLIENTID="); ok {
			if id, err := hex.DecodeString(text); err == nil && len(id) >= 2 && len(id) <= 255 {
				return id
			}
		}
	}
	// NetworkManager sends the type of the hardware and its address, unless told otherwise.
	known, _ := filepath.Glob(filepath.Join(h.root, "/var/lib/NetworkManager/*-"+uplink.name+".lease")) // names that config takes mean nothing in a pattern
	if mac, err := net.ParseMAC(uplink.mac); err == nil && len(known) > 0 {
		return append([]byte{1}, mac...)
	}
	return nil
}
