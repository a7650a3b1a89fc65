package dnsmasqconf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"labnet/internal/config"
)

// domains encodes a search list (RFC 3397), compressed as names are (RFC 1035 section 4.1.4).
func (o *optionLine) domains(parts []string) error {
	buffer := make([]byte, 2048)
	seen := map[string]int{}
	off := 0
	for _, part := range parts {
		var err error
		if off, err = dns.PackDomainName(dns.Fqdn(plain(part)), buffer, off, seen, true); err != nil {
			return fmt.Errorf("%q is not a domain", plain(part))
		}
	}
	if off == 0 {
		return errors.New("it names no domain")
	}
	o.data = buffer[:off]
	return nil
}

func (im *importer) dhcpOption(d Directive) {
	o, err := parseOption(d)
	if err != nil {
		im.mistake(d, "%v", err)
		return
	}
	o.at, o.always = im.at, d.Name != "dhcp-option"
	switch {
	case o.six:
		im.note(Unsupported, "DHCPv6 isn't served")
		return
	case o.other != "":
		im.note(Unsupported, o.other)
		return
	}
	set, why := im.resolve(o.tags)
	if why != "" {
		im.note(Unsupported, why)
		return
	}
	if d.Name == "dhcp-option-pxe" {
		im.note(Approximated, "for clients that say PXEClient")
		set.ways = with(set.ways, alternative{condition: condition{vendor: []string{"PXEClient*"}}})
	}
	if o.vendor != "" {
		im.note(Approximated, "for vendor classes that begin so; dnsmasq looks anywhere in them")
		set.ways = with(set.ways, alternative{condition: condition{vendor: []string{o.vendor + "*"}}})
		o.encap = 43
	}
	if o.none {
		im.withhold(o, set)
		return
	}
	if o.encap != 0 && len(o.data) > 255-2-1 {
		im.note(Unsupported, "too long to be a part of another option")
		return
	}
	if o.encap != 0 {
		o.data = append(append([]byte{o.code, byte(len(o.data))}, o.data...), 255)
		o.code, o.text, o.addrs = o.encap, false, false
	}
	if o.code == 255 {
		if len(o.data) != 4 {
			im.note(Unsupported, "the boot server is one address")
			return
		}
		im.place(set, item{boot: &boot{server: addrOf(o.data[:4]), option: true, at: im.at}})
		return
	}
	if (o.code == 66 || o.code == 67) && o.encap == 0 && o.text && !o.always {
		// dnsmasq puts them into the header's fields where they aren't asked for as options.
		b := &boot{option: true, at: im.at}
		if o.code == 66 {
			b.name = string(o.data)
		} else {
			b.file = string(o.data)
		}
		im.place(set, item{boot: b})
		return
	}
	if why, level := owned(o.code); why != "" {
		im.note(level, why)
		return
	}
	im.place(set, item{option: &o.option, encapsulated: o.encap != 0})
}

// with narrows every way.
func with(ways []alternative, more alternative) []alternative {
	var out []alternative
	for _, a := range ways {
		if both, ok := a.and(more); ok {
			out = append(out, both)
		}
	}
	return out
}

// withhold is an option without a value: dnsmasq then doesn't send what it sends by itself.
func (im *importer) withhold(o optionLine, set tagSet) {
	switch {
	case o.code == 3 && len(set.not) == 0:
		for _, a := range set.ways {
			if a.host != nil || a.known || !a.empty() {
				im.note(Unsupported, "the router can be withheld from a whole network alone, which is isolated then")
				return
			}
		}
		for _, n := range im.networks {
			if slices.ContainsFunc(set.ways, func(a alternative) bool { return a.network == nil || a.network == n }) {
				n.isolated = true
				n.from = append(n.from, im.at)
			}
		}
		im.note(Approximated, "the network is isolated: it has no router, and no way out")
	case o.code == 6 && im.noPort:
	case slices.Contains([]uint8{1, 3, 6, 12, 15, 28}, o.code):
		im.note(Unsupported, "what labnet sends by itself can't be withheld")
	default:
		im.note(Ignored, "labnet doesn't send it by itself")
	}
}

// owned says why an option isn't the configuration's.
func owned(code uint8) (string, Level) {
	switch code {
	case 1, 28:
		return "it follows from the network's address", Approximated
	case 51, 58, 59:
		return "it follows from the lease time", Approximated
	case 249:
		return "clients that ask for 249 get the classless routes of 121 there", Approximated
	case 0, 50, 52, 53, 54, 55, 56, 57, 61, 80, 81, 82, 90, 118:
		return "the option is the server's own, or the client's", Unsupported
	}
	return "", Exact
}

// value is how an option stands in HCL: its name, and a string, a number, a boolean or a list; code and type where it has no name.
type value struct {
	name, kind string
	data       any
}

// hcl finds the form that comes to the same bytes.
func (o option) hcl(n *network) value {
	own, data := n.host, o.data
	if o.addrs {
		data = slices.Clone(data)
		for i := 0; i+4 <= len(data); i += 4 {
			if addrOf(data[i:i+4]).IsUnspecified() && own.IsValid() {
				copy(data[i:], own.AsSlice())
			}
		}
	}
	if name, v, ok := config.OptionSource(o.code, data); ok && o.code != 12 && reachable(v, n.subnet) {
		return value{name: name, data: v}
	}
	name := fmt.Sprintf("option_%d", o.code)
	switch {
	case o.addrs && len(data)%4 == 0:
		var list []string
		for i := 0; i < len(data); i += 4 {
			list = append(list, addrOf(data[i:i+4]).String())
		}
		return value{name, "ip_list", list}
	case o.text && !strings.ContainsFunc(string(data), func(c rune) bool { return c < ' ' || c == 0x7f || c == 0xfffd }):
		return value{name, "text", string(data)}
	}
	parts := make([]string, len(data))
	for i, b := range data {
		parts[i] = fmt.Sprintf("%02x", b)
	}
	return value{name, "hex", strings.Join(parts, ":")}
}

// reachable tells whether guests of a subnet reach the routers of a list of routes, which the option's own form asks for; other values are fine.
func reachable(v any, subnet netip.Prefix) bool {
	list, _ := v.([]string)
	return !slices.ContainsFunc(list, func(one string) bool {
		_, via, ok := strings.Cut(one, " via ")
		a, err := netip.ParseAddr(via)
		return ok && err == nil && !a.IsUnspecified() && !subnet.Contains(a)
	})
}
