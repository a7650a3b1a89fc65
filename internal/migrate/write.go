package migrate

import (
	"bufio"
	"fmt"
	"io"
)

// Target says how leases are written.
type Target struct {
	Format Format
	// Subnet is Kea's number of the subnet that a lease belongs to; nil: 1 for all.
	Subnet func(*Lease) uint32
}

// Write writes a file that the server of a format reads: Dnsmasq, Kea, ISC or Libvirt. omitted is how many leases the format has no place
// for, such as those that have ended.
func Write(w io.Writer, leases []Lease, to Target) (omitted int, err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	if to.Subnet == nil {
		to.Subnet = func(*Lease) uint32 { return 1 }
	}
	switch to.Format {
	case Dnsmasq:
		omitted, err = writeDnsmasq(out, leases)
	case Kea:
		omitted, err = writeKea(out, leases, to.Subnet)
	case ISC:
		omitted, err = writeISC(out, leases)
	case Libvirt:
		omitted, err = writeLibvirt(out, leases)
	default:
		err = fmt.Errorf("%w: %q", ErrFormat, string(to.Format))
	}
	if err != nil {
		return omitted, err
	}
	return omitted, out.Flush()
}
