package dnsmasqconf

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

func (im *importer) cname(d Directive) {
	parts, ttl := ending(fields(d.Arg))
	if len(parts) < 2 {
		im.mistake(d, "it needs a name and what it stands for")
		return
	}
	target := im.absolute(plain(parts[len(parts)-1]))
	for _, alias := range parts[:len(parts)-1] {
		im.record(plain(alias), "CNAME", target, ttl)
	}
}

func (im *importer) mxTarget(d Directive) { im.mx = plain(d.Arg) }

func (im *importer) mxHost(d Directive) {
	parts := fields(d.Arg)
	preference, target := "1", ""
	if len(parts) > 1 {
		target = plain(parts[1])
	}
	if len(parts) > 2 {
		preference = plain(parts[2])
	}
	if isNumber(target) {
		target, preference = "", target
	}
	if target == "" {
		if m, ok := im.last("mx-target"); ok {
			target = plain(m.Arg)
		}
	}
	if target == "" {
		im.note(Unsupported, "the host is that of the machine that dnsmasq runs on: name it")
		return
	}
	im.record(plain(parts[0]), "MX", preference+" "+im.absolute(target), "")
}

func (im *importer) srvHost(d Directive) {
	parts := fields(d.Arg)
	name := plain(parts[0])
	if strings.Count(name, ".") == 1 {
		name += "." + im.networks[0].domain
	}
	get := func(i int, otherwise string) string {
		if i < len(parts) && parts[i] != "" {
			return plain(parts[i])
		}
		return otherwise
	}
	target := "."
	if t := get(1, ""); t != "" {
		target = im.absolute(t)
	}
	im.record(name, "SRV", strings.Join([]string{get(3, "0"), get(4, "0"), get(2, "1"), target}, " "), "")
}

func (im *importer) txtRecord(d Directive) {
	parts := fields(d.Arg)
	var texts []string
	for _, part := range parts[1:] {
		texts = append(texts, zoneText(plain(part)))
	}
	if len(texts) == 0 {
		texts = []string{`""`}
	}
	im.record(plain(parts[0]), "TXT", strings.Join(texts, " "), "")
}

// zoneText is a character string as a zone file has it.
func zoneText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (im *importer) ptrRecord(d Directive) {
	parts := fields(d.Arg)
	if len(parts) < 2 {
		im.mistake(d, "it needs a name and a target")
		return
	}
	im.record(plain(parts[0]), "PTR", im.absolute(plain(parts[1])), "")
}

func (im *importer) naptrRecord(d Directive) {
	parts := fields(d.Arg)
	if len(parts) < 6 {
		im.mistake(d, "it needs a name, order, preference, flags, service and expression")
		return
	}
	target := "."
	if len(parts) > 6 && parts[6] != "" {
		target = im.absolute(plain(parts[6]))
	}
	im.record(plain(parts[0]), "NAPTR", fmt.Sprintf("%s %s %s %s %s %s", plain(parts[1]), plain(parts[2]),
		zoneText(plain(parts[3])), zoneText(plain(parts[4])), zoneText(plain(parts[5])), target), "")
}

func (im *importer) caaRecord(d Directive) {
	parts := fields(d.Arg)
	if len(parts) < 4 {
		im.mistake(d, "it needs a name, flags, a tag and a value")
		return
	}
	im.record(plain(parts[0]), "CAA", fmt.Sprintf("%s %s %s", plain(parts[1]), plain(parts[2]), zoneText(plain(strings.Join(parts[3:], ",")))), "")
}

func (im *importer) dnsRR(d Directive) {
	parts := fields(d.Arg)
	var data []byte
	var err error
	n, errN := 0, error(nil)
	if len(parts) > 1 {
		n, errN = strconv.Atoi(plain(parts[1]))
	}
	if len(parts) > 2 {
		data, err = hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(plain(parts[2])))
	}
	if len(parts) < 2 || err != nil || errN != nil || n < 1 || n > 65535 {
		im.mistake(d, "it needs a name, a type's number and bytes in hexadecimal")
		return
	}
	kind := typeName(uint16(n))
	if kind == "" {
		im.note(Unsupported, "records of this type can't be set")
		return
	}
	value, ok := rdataText(uint16(n), data)
	if !ok {
		im.note(Unsupported, fmt.Sprintf("the bytes are no %s record", kind))
		return
	}
	im.record(plain(parts[0]), kind, value, "")
}

// rdataText is the data of a record as a zone file has it; false if it is none of the type.
func rdataText(kind uint16, data []byte) (string, bool) {
	wire := binary.BigEndian.AppendUint16([]byte{0}, kind)
	wire = append(wire, 0, dns.ClassINET, 0, 0, 0, 0)
	wire = append(binary.BigEndian.AppendUint16(wire, uint16(len(data))), data...)
	rr, _, err := dns.UnpackRR(wire, 0)
	if err != nil || len(data) == 0 {
		return "", false
	}
	if _, unknown := rr.(*dns.RFC3597); unknown {
		return fmt.Sprintf(`\# %d %x`, len(data), data), true
	}
	text := strings.TrimPrefix(rr.String(), rr.Header().String())
	_, err = dns.NewRR(fmt.Sprintf("x. 0 IN %s %s", dns.TypeToString[kind], text))
	return text, err == nil
}

func (im *importer) interfaceRecord(d Directive) {
	parts := fields(d.Arg)
	iface, _, _ := strings.Cut(plain(parts[len(parts)-1]), "/")
	for _, n := range im.networks {
		if n.iface == iface {
			im.note(Approximated, "the address stands in the record, and doesn't follow the interface")
			im.addressRecord(plain(parts[0]), n.host, "")
			return
		}
	}
	im.note(Unsupported, "no network has this interface")
}
