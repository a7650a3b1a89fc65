package dnsmasqconf

import (
	"fmt"
	"net/netip"
	"time"
)

// split is a range without the addresses that no guest can have.
func split(start, end netip.Addr, n *network) [][2]netip.Addr {
	if start == n.subnet.Addr() {
		start = start.Next()
	}
	if end == lastOf(n.subnet) {
		end = end.Prev()
	}
	var out [][2]netip.Addr
	if n.host.Less(start) || end.Less(n.host) {
		return append(out, [2]netip.Addr{start, end})
	}
	if start.Less(n.host) {
		out = append(out, [2]netip.Addr{start, n.host.Prev()})
	}
	if n.host.Less(end) {
		out = append(out, [2]netip.Addr{n.host.Next(), end})
	}
	return out
}

// duration is a time as the configuration has it.
func duration(d time.Duration) string {
	switch {
	case d >= infinite:
		return "infinite"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
