package dnsserver

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// maxName is the longest name in wire format, RFC 1035 section 3.1.
const maxName = 255

// name is an absolute domain name in uncompressed wire format, lower case: its labels are walked without parsing, and as
// a map key it has no escapes to disagree about.
type name string

const root name = "\x00"

// parseName reads presentation format; a missing last dot makes no difference.
func parseName(s string) (name, error) {
	var buf [maxName + 1]byte
	if s == "" || strings.HasPrefix(s, ".") && s != "." {
		return "", fmt.Errorf("%q is not a domain name: empty label", s)
	}
	n, err := dns.PackDomainName(dns.Fqdn(s), buf[:], 0, nil, false)
	if err != nil || n > maxName {
		return "", fmt.Errorf("%q is not a domain name (labels of 1 to 63 bytes, 255 in all)", s)
	}
	lower(buf[:n])
	return name(buf[:n]), nil
}

// parseLabel reads one label, without dots.
func parseLabel(s string) (string, error) {
	if s == "" || len(s) > 63 || strings.ContainsAny(s, `.\`) {
		return "", fmt.Errorf("%q is not a label (1 to 63 characters without dots)", s)
	}
	label := []byte(s)
	lower(label)
	return string(label), nil
}

// lower lowers ASCII letters in place, eight at a time: every question comes by here. Over a wire format name too: a length byte is
// at most 63, below 'A'.
func lower(b []byte) {
	const each = 0x0101010101010101
	for ; len(b) >= 8; b = b[8:] {
		word := binary.LittleEndian.Uint64(b)
		low := word & (0x7f * each)
		// The top bit of each byte: at least 'A', and not above 'Z'.
		capital := (low + (0x80-'A')*each) &^ (low + (0x7f-'Z')*each) &^ word & (0x80 * each)
		binary.LittleEndian.PutUint64(b, word|capital>>2) // 0x20 is what makes a letter small
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
}

// label returns the first label. Not for the root.
func (n name) label() string { return string(n[1 : 1+n[0]]) }

// parent returns the name without its first label. Not for the root.
func (n name) parent() name { return n[1+n[0]:] }

// single tells whether n has exactly one label.
func (n name) single() bool { return n != root && n.parent() == root }

// child puts a label before n; false when the result would be too long.
func (n name) child(label string) (name, bool) {
	if len(label) == 0 || len(label) > 63 || len(n)+len(label)+1 > maxName {
		return "", false
	}
	return name(string([]byte{byte(len(label))})+label) + n, true
}

// under tells whether n is zone or a name below it.
func (n name) under(zone name) bool {
	for len(n) > len(zone) {
		n = n.parent()
	}
	return n == zone
}

// String returns presentation format, with the last dot.
func (n name) String() string {
	s, _, err := dns.UnpackDomainName([]byte(n), 0)
	if err != nil {
		return "?"
	}
	return s
}
