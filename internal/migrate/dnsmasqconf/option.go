package dnsmasqconf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// option is what a client is told, as the bytes that dnsmasq sends.
type option struct {
	code   uint8
	data   []byte
	text   bool // it was written as text
	addrs  bool // it was written as addresses, in which 0.0.0.0 is the server's own
	always bool
	at     int
}

// optionLine is what a dhcp-option says.
type optionLine struct {
	option
	tags   []string
	none   bool   // no value
	encap  uint8  // the option that it is a part of; 0: none
	vendor string // clients of this vendor class get it in option 43; "": it stands alone
	six    bool   // DHCPv6's
	other  string // why it can't be an option here
}

// kinds of values. What isn't in the table has the kind of what is written.
const (
	kindAddrs   = 'a'
	kindText    = 't'
	kindSeconds = 's'
	kindDomains = 'd'
)

// optionDef is an option of dnsmasq's table.
type optionDef struct {
	code uint8
	name string
	kind byte // one of the kinds; '1', '2', '4': a number of so many bytes; 0: none
}

// optionTable is what `dnsmasq --help dhcp` lists, with the kinds of values.
func optionTable() []optionDef {
	return []optionDef{
		{1, "netmask", kindAddrs},
		{2, "time-offset", '4'},
		{3, "router", kindAddrs},
		{6, "dns-server", kindAddrs},
		{7, "log-server", kindAddrs},
		{9, "lpr-server", kindAddrs},
		{13, "boot-file-size", '2'},
		{15, "domain-name", kindText},
		{16, "swap-server", kindAddrs},
		{17, "root-path", kindText},
		{18, "extension-path", kindText},
		{19, "ip-forward-enable", '1'},
		{20, "non-local-source-routing", '1'},
		{21, "policy-filter", kindAddrs},
		{22, "max-datagram-reassembly", '2'},
		{23, "default-ttl", '1'},
		{26, "mtu", '2'},
		{27, "all-subnets-local", '1'},
		{31, "router-discovery", '1'},
		{32, "router-solicitation", kindAddrs},
		{33, "static-route", kindAddrs},
		{34, "trailer-encapsulation", '1'},
		{35, "arp-timeout", '4'},
		{36, "ethernet-encap", '1'},
		{37, "tcp-ttl", '1'},
		{38, "tcp-keepalive", '4'},
		{40, "nis-domain", kindText},
		{41, "nis-server", kindAddrs},
		{42, "ntp-server", kindAddrs},
		{44, "netbios-ns", kindAddrs},
		{45, "netbios-dd", kindAddrs},
		{46, "netbios-nodetype", '1'},
		{47, "netbios-scope", 0},
		{48, "x-windows-fs", kindAddrs},
		{49, "x-windows-dm", kindAddrs},
		{58, "T1", kindSeconds},
		{59, "T2", kindSeconds},
		{60, "vendor-class", 0},
		{64, "nis+-domain", kindText},
		{65, "nis+-server", kindAddrs},
		{66, "tftp-server", kindText},
		{67, "bootfile-name", kindText},
		{68, "mobile-ip-home", kindAddrs},
		{69, "smtp-server", kindAddrs},
		{70, "pop3-server", kindAddrs},
		{71, "nntp-server", kindAddrs},
		{74, "irc-server", kindAddrs},
		{77, "user-class", 0},
		{80, "rapid-commit", 0},
		{93, "client-arch", '2'},
		{94, "client-interface-id", 0},
		{97, "client-machine-id", 0},
		{100, "posix-timezone", kindText},
		{101, "tzdb-timezone", kindText},
		{108, "ipv6-only", '4'},
		{114, "captive-portal", kindText},
		{119, "domain-search", kindDomains},
		{120, "sip-server", 0},
		{121, "classless-static-route", 0},
		{125, "vendor-id-encap", 0},
		{150, "tftp-server-address", kindAddrs},
		{255, "server-ip-address", kindAddrs},
	}
}

// optionCode reads a number, or option:NAME.
func optionCode(s string) (uint8, bool) {
	s = plain(s)
	if name, ok := strings.CutPrefix(s, "option:"); ok {
		for _, def := range optionTable() {
			if strings.EqualFold(def.name, name) {
				return def.code, true
			}
		}
		s = name // a number may stand behind it too
	}
	n, err := strconv.ParseUint(s, 10, 8)
	return uint8(n), err == nil
}

func kindOf(code uint8) byte {
	for _, def := range optionTable() {
		if def.code == code {
			return def.kind
		}
	}
	return 0
}

// parseOption reads the value of dhcp-option.
func parseOption(d Directive) (optionLine, error) {
	var o optionLine
	parts := fields(d.Arg)
	found := false
	for len(parts) > 0 && !found {
		part := plain(parts[0])
		switch prefix, rest, _ := strings.Cut(part, ":"); {
		case strings.HasPrefix(part, "option6:"):
			o.six = true
			return o, nil
		case prefix == "encap":
			n, err := strconv.ParseUint(rest, 10, 8)
			if err != nil {
				return o, fmt.Errorf("%q is not an option", rest)
			}
			o.encap = uint8(n)
		case prefix == "vi-encap":
			o.other = "options of RFC 3925 aren't made"
		case prefix == "vendor":
			o.vendor = rest
		case prefix == "option" || isNumber(part):
			if o.code, found = optionCode(parts[0]); !found {
				return o, fmt.Errorf("there is no DHCP option %q", strings.TrimPrefix(part, "option:"))
			}
		default:
			o.tags = append(o.tags, setTag(parts[0]))
		}
		parts = parts[1:]
	}
	if !found {
		return o, errors.New("it names no option")
	}
	if len(parts) == 0 || len(parts) == 1 && parts[0] == "" {
		o.none = true
		return o, nil
	}
	kind := kindOf(o.code)
	if o.encap != 0 || o.vendor != "" {
		kind = 0
	}
	return o, o.encode(kind, parts)
}

// setTag is the tag of tag:x, net:x or x.
func setTag(part string) string {
	if tag, ok := tagged(part); ok {
		return tag
	}
	return setting(part)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// encode makes the bytes of a value as dnsmasq guesses what it is.
func (o *optionLine) encode(kind byte, parts []string) error {
	value := strings.Join(parts, ",")
	switch {
	case kind == kindSeconds:
		t, ok := leaseTime(plain(value))
		if !ok {
			return fmt.Errorf("%q is not a time", plain(value))
		}
		o.data = binary.BigEndian.AppendUint32(nil, uint32(t.Seconds()))
	case kind == kindDomains || o.code == 119 && o.encap == 0 && o.vendor == "":
		return o.domains(parts)
	case kind == kindAddrs || kind == 0 && isAddresses(parts):
		return o.addresses(parts)
	case kind == kindText:
		o.data, o.text = []byte(plain(value)), true
	case strings.Contains(value, ":") && isHex(value):
		o.data, _ = hexBytes(value)
	case isDecimal(value):
		o.number(kind, value)
	default:
		o.data, o.text = []byte(plain(value)), true
	}
	return nil
}

func isHex(s string) bool {
	_, ok := hexBytes(s)
	return ok
}

// isDecimal: a number, with b, s or i behind it for one, two or four bytes.
func isDecimal(s string) bool {
	return isNumber(strings.TrimRight(s, "bsi")) && len(strings.TrimRight(s, "bsi")) >= len(s)-1
}

func (o *optionLine) number(kind byte, value string) {
	size := 0
	if kind >= '1' && kind <= '4' {
		size = int(kind - '0')
	}
	switch value[len(value)-1] {
	case 'b':
		size = 1
	case 's':
		size = 2
	case 'i':
		size = 4
	}
	n, _ := strconv.ParseUint(strings.TrimRight(value, "bsi"), 10, 32)
	if size == 0 {
		switch {
		case n > 0xffff:
			size = 4
		case n > 0xff:
			size = 2
		default:
			size = 1
		}
	}
	full := binary.BigEndian.AppendUint32(nil, uint32(n))
	o.data = full[4-size:]
}

// isAddresses: IPv4 addresses and subnets alone.
func isAddresses(parts []string) bool {
	for _, part := range parts {
		if addr, _, _ := strings.Cut(part, "/"); strings.Trim(part, "0123456789./ ") != "" || !validAddr(addr) {
			return false
		}
	}
	return true
}

func validAddr(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func (o *optionLine) addresses(parts []string) error {
	o.addrs = true
	for _, part := range parts {
		text, length, isNet := strings.Cut(plain(part), "/")
		a, err := netip.ParseAddr(text)
		if err != nil || !a.Is4() {
			return fmt.Errorf("%q is not an address", plain(part))
		}
		if !isNet {
			o.data = append(o.data, a.AsSlice()...)
			continue
		}
		bits, err := strconv.ParseUint(length, 10, 8)
		if err != nil || bits > 32 {
			return fmt.Errorf("%q is not a subnet", plain(part))
		}
		o.addrs = false // the form of RFC 3442 is sent as it is
		o.data = append(append(o.data, byte(bits)), a.AsSlice()[:(bits+7)/8]...)
	}
	return nil
}
