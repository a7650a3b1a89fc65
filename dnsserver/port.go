package dnsserver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
)

// sourcePorts is where questions to upstreams may come from: from the start of the kernel's ephemeral range to 65535, which is
// wider than that range, without the ports that the administrator has reserved. Immutable.
type sourcePorts struct {
	low      int
	reserved map[int]bool
}

const (
	portRangeFile     = "/proc/sys/net/ipv4/ip_local_port_range"
	reservedPortsFile = "/proc/sys/net/ipv4/ip_local_reserved_ports"
	// defaultLowPort is the kernel's own default.
	defaultLowPort = 32768
)

// readSourcePorts reads the ranges of this network namespace. What can't be read is as the kernel's defaults are.
func readSourcePorts() *sourcePorts {
	local, _ := os.ReadFile(portRangeFile)
	reserved, _ := os.ReadFile(reservedPortsFile)
	return parseSourcePorts(local, reserved)
}

func parseSourcePorts(local, reserved []byte) *sourcePorts {
	p := &sourcePorts{low: defaultLowPort, reserved: map[int]bool{}}
	// Below 1024 are the ports of services.
	if low := 0; len(local) > 0 {
		if _, err := fmt.Sscan(string(local), &low); err == nil && low > 0 && low < 65535 {
			p.low = max(low, 1024)
		}
	}
	for _, item := range bytes.Split(bytes.TrimSpace(reserved), []byte(",")) {
		from, to, isRange := bytes.Cut(item, []byte("-"))
		first, err := strconv.Atoi(string(from))
		if err != nil {
			continue
		}
		last := first
		if isRange {
			if last, err = strconv.Atoi(string(to)); err != nil {
				continue
			}
		}
		for port := max(first, p.low); port <= min(last, 65535); port++ {
			p.reserved[port] = true
		}
	}
	if len(p.reserved) > 65535-p.low {
		p.reserved = nil // everything is reserved: then nothing is
	}
	return p
}

// pick makes a port of four random bytes.
func (p *sourcePorts) pick(random []byte) int {
	port := p.low + int(uint64(binary.NativeEndian.Uint32(random))*uint64(65536-p.low)>>32)
	for p.reserved[port] {
		if port++; port > 65535 {
			port = p.low
		}
	}
	return port
}
