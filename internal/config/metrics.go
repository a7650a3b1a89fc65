package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Metrics is how the counters can be had beside the control socket.
type Metrics struct {
	Listen netip.AddrPort // of a TCP port; invalid: none
}

func metricsBlock() *block {
	return &block{
		name: "metrics", needs: []string{"listen"},
		doc: "Counters for Prometheus, and answers for probes, on a TCP port ([operations](operations.md#metrics)). Without this block they are on the control socket alone.",
		args: []argument{{
			name: "listen", kind: listenAddress(), required: true, example: `"127.0.0.1:9167"`,
			doc: "the address and port. Whoever reaches it can read the counters, so it is better not an address that guests reach",
		}},
	}
}

// listenAddress is an address of the host's, or all of them, with a port.
func listenAddress() kind {
	return ofText("address and port", func(s string) (any, error) {
		const help = `Write "127.0.0.1:9167", for this host alone, or another address of its.`
		host, service, err := net.SplitHostPort(s)
		if err != nil {
			if a, err := netip.ParseAddr(s); err == nil {
				return nil, faultf(fmt.Sprintf("Write %q.", netip.AddrPortFrom(a, 9167)), "%q has no port", s)
			}
			return nil, faultf(help, "%q is not an address with a port", s)
		}
		port, err := strconv.ParseUint(service, 10, 16)
		if err != nil || port == 0 {
			return nil, faultf("A port is from 1 to 65535.", "%q is not a port", service)
		}
		if host == "" {
			return nil, faultf(fmt.Sprintf("Write \"127.0.0.1:%d\" for this host alone, or \"0.0.0.0:%[1]d\" for everybody who reaches it.", port), "%q names no address", s)
		}
		a, err := netip.ParseAddr(host)
		if err != nil {
			return nil, faultf(help, "%q is not an IP address", host)
		}
		if a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			return nil, faultf(help, "%s is not an address to listen on", a)
		}
		return netip.AddrPortFrom(a.Unmap(), uint16(port)), nil
	})
}

func (b *builder) metrics(root *node) Metrics {
	if len(root.blocks["metrics"]) == 0 {
		return Metrics{}
	}
	n := b.only(root, "metrics")
	m := Metrics{Listen: get[netip.AddrPort](n, "listen")}
	if !m.Listen.IsValid() {
		return m
	}
	at := n.at("listen")
	if m.Listen.Addr().IsUnspecified() {
		b.warn(n, at, "everybody who reaches this host can read the counters, guests too", "Name one address of the host's, as 127.0.0.1.")
	}
	for _, p := range b.networks {
		if p.Address.IsValid() && p.Mode != "bridged" && p.Address.Addr() == m.Listen.Addr() {
			b.warn(n, at, fmt.Sprintf("the guests of network %q can read the counters of all networks", p.Name), "Name another address of the host's, as 127.0.0.1.",
				here(p.addressAt, "network %q", p.Name))
		}
		if p.DNS.Enabled && m.Listen.Port() == 53 && p.Address.IsValid() && p.Address.Addr() == m.Listen.Addr() {
			b.error(n, at, fmt.Sprintf("DNS is served on %s already", m.Listen), "The usual port of labnet's counters is 9167.", here(p.addressAt, "network %q", p.Name))
		}
	}
	return m
}
