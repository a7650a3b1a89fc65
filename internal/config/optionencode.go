package config

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// optionEncoder encodes the values of one option, one after the other.
type optionEncoder struct {
	def     optionDef
	gateway netip.Prefix // the network's; may be invalid
	data    []byte
	domains []string
}

// add encodes a value. The text is a warning.
func (e *optionEncoder) add(v cty.Value) (string, error) {
	switch e.def.kind {
	case optU8, optU16, optU32, optI32, optU16List:
		return "", e.number(v)
	case optBool:
		b, err := boolean().parse(v)
		if err != nil {
			return "", err
		}
		n := byte(0)
		if b.(bool) {
			n = 1
		}
		e.data = append(e.data, n)
		return "", nil
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return "", faultf("It is "+withArticle(e.def.kind.doc())+".", "the option %q can't have %s", e.def.name, withArticle(v.Type().FriendlyName()))
	}
	return e.text(s.AsString())
}

func (e *optionEncoder) text(s string) (string, error) {
	switch e.def.kind {
	case optText:
		return "", e.plain(s)
	case optURL:
		u, err := url.Parse(s)
		if err != nil || u.Scheme == "" || u.Host == "" && !strings.HasPrefix(s, "urn:") {
			return "", faultf(`Write the whole of it: "https://portal.example.org/api".`, "%q is not a URL", s)
		}
		return "", e.plain(s)
	case optHex:
		b, err := parseHex(s)
		if err != nil || len(b) == 0 {
			return "", faultf(`Write pairs of hexadecimal digits: "01:02:ff".`, "%q is not bytes in hexadecimal", s)
		}
		e.data = append(e.data, b...)
		return "", nil
	case optDomain:
		d, err := domainName().parse(cty.StringVal(s))
		if err != nil {
			return "", err
		}
		return "", e.plain(d.(string))
	case optDomains:
		d, err := domainName().parse(cty.StringVal(s))
		if err != nil {
			return "", err
		}
		e.domains = append(e.domains, d.(string))
		return "", nil
	case optSeconds:
		d, err := duration(0, math.MaxUint32*time.Second, false).parse(cty.StringVal(s))
		if err != nil {
			return "", err
		}
		e.data = binary.BigEndian.AppendUint32(e.data, uint32(d.(time.Duration)/time.Second))
		return "", nil
	case optPairs:
		return "", e.pair(s)
	case optRoutes:
		return "", e.route(s)
	default: // optIP, optIPList
		return e.address(s)
	}
}

func (e *optionEncoder) plain(s string) error {
	if s == "" {
		return faultf("Leave the block out if it shall not be sent.", "the option %q is empty", e.def.name)
	}
	for _, c := range s {
		if c < ' ' || c == 0x7f {
			return faultf("", "the option %q has the control character %q in it", e.def.name, c)
		}
	}
	e.data = append(e.data, s...)
	return nil
}

func (e *optionEncoder) address(s string) (string, error) {
	a, err := parseIPv4(s)
	if err != nil {
		return "", err
	}
	e.data = append(e.data, a.AsSlice()...)
	if e.def.code == 3 && e.gateway.IsValid() && !e.gateway.Masked().Contains(a) {
		return fmt.Sprintf("the router %s is outside the network %s: guests can't reach it", a, e.gateway.Masked()), nil
	}
	return "", nil
}

func (e *optionEncoder) number(v cty.Value) error {
	n, err := wholeNumber(v)
	if err != nil {
		return err
	}
	least, most := int64(e.def.least), int64(e.def.most)
	if most == 0 {
		least, most = map[optionKind][2]int64{
			optU8: {0, math.MaxUint8}, optU16: {0, math.MaxUint16}, optU16List: {0, math.MaxUint16},
			optU32: {0, math.MaxUint32}, optI32: {math.MinInt32, math.MaxInt32},
		}[e.def.kind][0], map[optionKind]int64{
			optU8: math.MaxUint8, optU16: math.MaxUint16, optU16List: math.MaxUint16, optU32: math.MaxUint32, optI32: math.MaxInt32,
		}[e.def.kind]
	}
	if n < least || n > most {
		return faultf(fmt.Sprintf("It must be from %d to %d.", least, most), "%d is out of range", n)
	}
	switch e.def.kind {
	case optU8:
		e.data = append(e.data, byte(n))
	case optU16, optU16List:
		e.data = binary.BigEndian.AppendUint16(e.data, uint16(n))
	default:
		e.data = binary.BigEndian.AppendUint32(e.data, uint32(n))
	}
	return nil
}

// pair is two addresses in one text (RFC 2132 sections 4.3 and 5.8).
func (e *optionEncoder) pair(s string) error {
	parts := strings.Fields(s)
	if len(parts) != 2 {
		return faultf(`Write two addresses with a space between: "10.1.0.5 10.0.0.2".`, "%q is not a pair of addresses", s)
	}
	for _, part := range parts {
		a, err := parseIPv4(part)
		if err != nil {
			return err
		}
		e.data = append(e.data, a.AsSlice()...)
	}
	if e.def.code == 33 && parts[0] == "0.0.0.0" {
		return faultf("RFC 2132 forbids it: use routers.", "a default route is no static route")
	}
	return nil
}

// route is a destination descriptor and a router (RFC 3442): the prefix length, the prefix's significant bytes, the router.
func (e *optionEncoder) route(s string) error {
	const help = `Write a subnet and a router of this network: "10.1.0.0/16 via 10.0.0.2".`
	parts := strings.Fields(s)
	if len(parts) != 3 || parts[1] != "via" {
		return faultf(help, "%q is not a route", s)
	}
	v, err := subnet().parse(cty.StringVal(parts[0]))
	if err != nil {
		return err
	}
	to := v.(netip.Prefix)
	via, err := parseIPv4(parts[2])
	if err != nil {
		return err
	}
	// Router 0.0.0.0 means that the destination is on the link (RFC 3442, local subnet routes).
	if e.gateway.IsValid() && !via.IsUnspecified() && !e.gateway.Masked().Contains(via) {
		return faultf(addressesOf(e.gateway), "guests can't reach the router %s: it is outside the network", via)
	}
	e.data = append(e.data, byte(to.Bits()))
	e.data = append(e.data, to.Addr().AsSlice()[:(to.Bits()+7)/8]...)
	e.data = append(e.data, via.AsSlice()...)
	return nil
}

// finish returns the bytes of all values together.
func (e *optionEncoder) finish() ([]byte, error) {
	if e.def.kind == optDomains {
		return packDomains(e.domains)
	}
	return e.data, nil
}

// packDomains encodes a search list (RFC 3397): names of RFC 1035, compressed among themselves.
func packDomains(domains []string) ([]byte, error) {
	buf := make([]byte, 0)
	for _, d := range domains {
		buf = append(buf, make([]byte, len(d)+2)...)
	}
	compression := map[string]int{}
	off := 0
	for _, d := range domains {
		var err error
		if off, err = dns.PackDomainName(dns.Fqdn(d), buf, off, compression, true); err != nil {
			return nil, fmt.Errorf("encoding the domain %q: %w", d, err)
		}
	}
	return buf[:off], nil
}
