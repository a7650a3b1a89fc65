package dnsserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"golang.org/x/net/idna"
)

// Question is what Explain is asked.
type Question struct {
	Name    string // as ParseQuestion returns it
	Type    uint16
	DNSSEC  bool       // with DO, as validating clients ask
	Client  netip.Addr // who asks; invalid: the host itself
	Network string     // whose server is asked; "": that of the client's network, without a client each
	Ask     bool       // upstreams too, if it comes to that
}

// ErrQuestion is wrapped by the errors about questions that nobody can ask.
var ErrQuestion = errors.New("not a question")

// ParseQuestion reads a name and a type as people write them: a name with its last dot or without, in any script; an address means its
// reverse name. The type is a mnemonic or TYPE123; "" means PTR for an address and A for a name. The error wraps ErrQuestion.
func ParseQuestion(text, qtype string) (name string, code uint16, err error) {
	addr, addrErr := netip.ParseAddr(text)
	_, prefixErr := netip.ParsePrefix(text)
	switch {
	case qtype != "":
		if code = recordType(qtype); code == 0 {
			return "", 0, fmt.Errorf("%w: %q is not a type, such as A, AAAA, PTR or TYPE65", ErrQuestion, qtype)
		}
	case addrErr == nil:
		code = dns.TypePTR
	default:
		code = dns.TypeA
	}
	switch {
	case addrErr == nil:
		return reverseName(addr.WithZone("")).String(), code, nil
	case prefixErr == nil:
		return "", 0, fmt.Errorf("%w: %q is a prefix; name one address of it", ErrQuestion, text)
	case strings.Contains(text, "://"):
		return "", 0, fmt.Errorf("%w: %q is a URL; name only the host in it", ErrQuestion, text)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r > 0x7f }) {
		ascii, err := idna.Lookup.ToASCII(text)
		if err != nil {
			return "", 0, fmt.Errorf("%w: %q: %w", ErrQuestion, text, err)
		}
		text = ascii
	}
	n, err := parseName(text)
	if err != nil {
		return "", 0, fmt.Errorf("%w: %w", ErrQuestion, err)
	}
	return n.String(), code, nil
}

// viewsOf returns the listening addresses of the networks that a question means, ordered by network.
func (snap *snapshot) viewsOf(q *Question) []netip.AddrPort {
	all := map[string]netip.AddrPort{}
	var own, open []string
	for at, v := range snap.views {
		if !v.first || q.Network != "" && v.network != q.Network {
			continue
		}
		all[v.network] = at
		switch {
		case !q.Client.IsValid():
		case v.subnetOf(q.Client).IsValid():
			own = append(own, v.network)
		case snap.admits(v, q.Client):
			open = append(open, v.network)
		}
	}
	networks := own
	if len(networks) == 0 {
		networks = open
	}
	if len(networks) == 0 {
		for network := range all {
			networks = append(networks, network)
		}
	}
	slices.Sort(networks)
	var out []netip.AddrPort
	for _, network := range networks {
		out = append(out, all[network])
	}
	return out
}

// question is the message that asks it.
func question(n name, q *Question) []byte {
	m := make([]byte, headerSize)
	m[2], m[5] = 0x01, 1 // RD, one question
	m = append(m, n...)
	m = binary.BigEndian.AppendUint16(m, q.Type)
	m = binary.BigEndian.AppendUint16(m, dns.ClassINET)
	edns := query{edns: true, do: q.DNSSEC}
	return edns.appendOPT(m, 0, 0, nil, len(m)+optSize)
}
