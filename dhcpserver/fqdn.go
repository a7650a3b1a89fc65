package dhcpserver

import (
	"fmt"
	"strings"
)

// Flags of option 81 (RFC 4702 section 2.1).
const (
	fqdnServer   = 0x01 // S: the server enters the name into DNS
	fqdnOverride = 0x02 // O: against what the client had said in S
	fqdnEncoded  = 0x04 // E: the name is encoded as in DNS
	fqdnNone     = 0x08 // N: nobody enters it
)

// maxFQDN is how long a name may be for one option.
const maxFQDN = 255 - 3

// fqdnDomain is the domain of option 81 in both encodings, empty where names aren't published.
type fqdnDomain struct {
	text string // with a dot before it
	wire string
}

// newFQDNDomain checks and encodes a domain (RFC 1035 section 3.1).
func newFQDNDomain(domain string) (fqdnDomain, error) {
	if domain == "" {
		return fqdnDomain{}, nil
	}
	var wire []byte
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 {
			return fqdnDomain{}, fmt.Errorf("domain %q: a label must have 1 to 63 bytes", domain)
		}
		wire = append(append(wire, byte(len(label))), label...)
	}
	return fqdnDomain{text: "." + domain, wire: string(wire) + "\x00"}, nil
}

// appendFQDN appends option 81 in answer to the client's data: the name of its lease in the encoding that it chose, or that it has
// no name (RFC 4702 section 4). Our DNS publishes names whatever the client would do itself.
func (d fqdnDomain) appendFQDN(b []byte, data []byte, name string) []byte {
	asked := data[0]
	flags := asked & fqdnEncoded
	domain, extra := d.text, 0
	if flags != 0 {
		domain, extra = d.wire, 1
	}
	if name == "" || d.text == "" {
		flags |= fqdnNone
		name, domain = "", ""
	} else {
		flags |= fqdnServer
	}
	if (asked^flags)&fqdnServer != 0 {
		flags |= fqdnOverride
	}
	n := extra + len(name) + len(domain)
	if name == "" || n > maxFQDN {
		n = 0
	}
	b = append(b, optFQDN, byte(3+n), flags, 255, 255) // RFC 4702 section 2.2: the codes are not used any more
	if n == 0 {
		return b
	}
	if extra != 0 {
		b = append(b, byte(len(name)))
	}
	return append(append(b, name...), domain...)
}
