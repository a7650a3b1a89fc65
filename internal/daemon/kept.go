package daemon

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"labnet/internal/config"
	"labnet/leases"
)

// withKept is file with the reservations that were made at run time as hosts of their networks, and for each of these why it isn't one: ""
// where it is. The file counts where they disagree. It is pure.
func withKept(file *config.Config, kept []leases.KeptReservation) (*config.Config, []string) {
	cfg := *file
	cfg.Networks = slices.Clone(file.Networks)
	obstacles := make([]string, len(kept))
	for i, k := range kept {
		at := slices.IndexFunc(cfg.Networks, func(n config.Network) bool { return n.Name == k.Network })
		if at < 0 {
			obstacles[i] = fmt.Sprintf("there is no network %q", k.Network)
			continue
		}
		n := &cfg.Networks[at]
		if obstacles[i] = obstacleTo(file, n, k); obstacles[i] == "" {
			n.Hosts = append(slices.Clip(n.Hosts), keptHost(k))
		}
	}
	return &cfg, obstacles
}

// keptHost is a reservation as a host of its network.
func keptHost(k leases.KeptReservation) config.Host {
	h := config.Host{Name: k.Name, MAC: string(k.HWAddr), Address: k.Addr}
	if id, ok := k.ID.Option(); ok {
		h.ClientID = string(id)
	}
	return h
}

// obstacleTo says what in a network, or in the records of all of them, stands against k, "" for nothing. What it misses refuses a start: no
// reservation may stand in the way of the file.
func obstacleTo(file *config.Config, n *config.Network, k leases.KeptReservation) string {
	subnet := n.Address.Masked()
	switch {
	case !n.DHCP.Enabled:
		return fmt.Sprintf("network %q has no DHCP", n.Name)
	case k.Addr.IsValid() && !subnet.Contains(k.Addr):
		return fmt.Sprintf("%v is outside network %q, %v", k.Addr, n.Name, subnet)
	case k.Addr == n.Address.Addr():
		return fmt.Sprintf("%v is the gateway's own", k.Addr)
	case k.Addr.IsValid() && subnet.Bits() < 31 && (k.Addr == subnet.Addr() || k.Addr == broadcast(n.Address)):
		return fmt.Sprintf("%v is no host's address in %v", k.Addr, subnet)
	case slices.Contains(neverNames, k.Name):
		return fmt.Sprintf("%q is nobody's name but the host's", k.Name)
	}
	own := keptHost(k)
	for _, h := range n.Hosts {
		what := ""
		switch {
		case own.MAC != "" && h.MAC == own.MAC, own.ClientID != "" && h.ClientID == own.ClientID:
			what = "is for the same client"
		case own.Address.IsValid() && h.Address == own.Address:
			what = "has " + own.Address.String()
		case own.Name != "" && (h.Name == own.Name || slices.Contains(h.Aliases, own.Name)):
			what = fmt.Sprintf("has the name %q", own.Name)
		default:
			continue
		}
		return describeHost(h) + " " + what
	}
	if own.Name == "" {
		return ""
	}
	full := own.Name + "." + n.DNS.Domain
	switch {
	case len(full) > maxName:
		return fmt.Sprintf("the name %q is too long in the domain %s", own.Name, n.DNS.Domain)
	case hasRecord(file, full):
		return fmt.Sprintf("a record has the name %q", own.Name)
	case own.Address.IsValid() && hasRecord(file, reverseName(own.Address)):
		return fmt.Sprintf("a record has the reverse name of %v", own.Address)
	}
	return ""
}

// maxName is the longest domain name in text (RFC 1035 section 2.3.4).
const maxName = 253

// hasRecord says whether there is a record with the absolute name, which is in lower case and without the last dot. A network's records may
// lie in another one's domain, if that is below its own.
func hasRecord(file *config.Config, name string) bool {
	return slices.ContainsFunc(file.Networks, func(n config.Network) bool {
		return slices.ContainsFunc(n.DNS.Records, func(r config.Record) bool {
			full, absolute := strings.CutSuffix(strings.ToLower(r.Name), ".")
			if !absolute {
				full += "." + n.DNS.Domain
			}
			return full == name
		})
	})
}

// reverseName is where the names of an address stand (RFC 1035 section 3.5).
func reverseName(addr netip.Addr) string {
	a := addr.As4()
	return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", a[3], a[2], a[1], a[0])
}

// neverNames are those that guests and resolvers take for other things.
var neverNames = []string{"gateway", "localhost"}

func describeHost(h config.Host) string {
	switch {
	case h.Name != "":
		return fmt.Sprintf("host %q", h.Name)
	case h.MAC != "":
		return "the reservation for " + leases.HWAddr(h.MAC).String()
	default:
		return "the reservation for client " + leases.ClientIDFromOption([]byte(h.ClientID)).String()
	}
}
