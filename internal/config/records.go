package config

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/publicsuffix"
)

// records are a network's static records, by absolute name.
type records struct {
	b      *builder
	p      *networkParts
	origin string           // with the last dot
	seen   map[string]*node // name and type
	types  map[string][]string
	cnames map[string]cname
}

type cname struct {
	target string
	n      *node
}

func (b *builder) recordsOf(p *networkParts) {
	if p.DNS.Domain == "" {
		return
	}
	r := &records{
		b: b, p: p, origin: dns.Fqdn(p.DNS.Domain),
		seen: map[string]*node{}, types: map[string][]string{}, cnames: map[string]cname{},
	}
	for _, h := range p.Hosts {
		for _, name := range append([]string{h.Name}, h.Aliases...) {
			r.types[name+"."+r.origin] = append(r.types[name+"."+r.origin], "the host "+h.Name)
		}
	}
	r.types["gateway."+r.origin] = append(r.types["gateway."+r.origin], "the gateway")
	for _, n := range p.dns.blocks["record"] {
		if rec, ok := r.record(n); ok {
			p.DNS.Records = append(p.DNS.Records, rec)
		}
	}
	r.checkCNAMEs()
}

// record makes a record of a node: name and type are checked, values parsed and written out in absolute names.
func (r *records) record(n *node) (Record, bool) {
	owner, ok := r.owner(n)
	typ := get[string](n, "type")
	if typ == "" {
		return Record{}, false
	}
	code, err := recordType(typ)
	if err != nil {
		r.b.fault(n, n.at("type"), err)
		return Record{}, false
	}
	rec := Record{Name: n.label, Type: typ, TTL: get[time.Duration](n, "ttl")}
	if len(n.elems("value")) == 0 && n.has("value") && !n.wrong("value") {
		r.b.error(n, n.at("value"), "the record has no value", "")
		return rec, false
	}
	for _, e := range n.elems("value") {
		rdata, fine := r.rdata(n, code, e)
		ok = ok && fine
		rec.Values = append(rec.Values, rdata)
	}
	if !ok || n.bad {
		return rec, false
	}
	key := owner + " " + typ
	if earlier := r.seen[key]; earlier != nil {
		r.b.error(n, n.name, fmt.Sprintf("the %s record of %q stands twice", typ, n.label), "Make one of them, with a list of values.", here(earlier.name, "the first one"))
		return rec, false
	}
	r.seen[key] = n
	r.types[owner] = append(r.types[owner], "a "+typ+" record")
	if code == dns.TypeCNAME {
		r.cnames[owner] = cname{rec.Values[0], n}
		if len(rec.Values) > 1 {
			r.b.error(n, n.elems("value")[1].at, "a CNAME has one value only", "A name can stand for one other name (RFC 1034 section 3.6.2).")
		}
		if owner == r.origin {
			r.b.error(n, n.name, "the domain itself can't be a CNAME", "It has an SOA record, and nothing may stand beside a CNAME (RFC 1912 section 2.4).")
		}
	}
	return rec, true
}

// owner is the record's absolute name.
func (r *records) owner(n *node) (string, bool) {
	name := lower(n.label)
	owner := name + "." + r.origin
	switch {
	case name == "@":
		return r.origin, true
	case strings.HasSuffix(name, "."):
		owner = name
	case strings.HasSuffix(owner, "."+r.origin+r.origin), name+"." == r.origin:
		r.b.warn(n, n.name, fmt.Sprintf("%q is relative to the domain: the record is for %s", n.label, strings.TrimSuffix(owner, ".")),
			"Leave the domain out, or end the name with a dot.")
	}
	if err := checkRecordName(strings.TrimSuffix(owner, ".")); err != nil {
		r.b.fault(n, n.name, err)
		return "", false
	}
	if !dns.IsSubDomain(r.origin, owner) && !r.reverse(owner) {
		r.b.error(n, n.name, fmt.Sprintf("the name %q is not in the domain %q", n.label, r.p.DNS.Domain),
			"The network answers for its own domain and for the reverse names of its subnet only.")
		return "", false
	}
	return owner, true
}

// reverse tells whether name is the reverse name of an address of the network.
func (r *records) reverse(name string) bool {
	rest, ok := strings.CutSuffix(name, ".in-addr.arpa.")
	if !ok {
		return false
	}
	labels := strings.Split(rest, ".")
	slices.Reverse(labels)
	a, err := netip.ParseAddr(strings.Join(labels, "."))
	own, _ := r.p.ownIn(a)
	return err == nil && own.Masked().Contains(a)
}

func checkRecordName(name string) error {
	if len(name) > 253 {
		return faultf("A name has at most 253 (RFC 1035).", "the name has %d bytes", len(name))
	}
	for i, l := range strings.Split(name, ".") {
		if l == "*" && i == 0 {
			continue
		}
		// Underscores mark services and the like (RFC 8552).
		if err := checkLabel(strings.ReplaceAll(l, "_", "x")); err != nil {
			return checkLabel(strings.ReplaceAll(l, "_", ""))
		}
	}
	return nil
}

// recordType returns the number of a type that can be served.
func recordType(name string) (uint16, error) {
	if regexp.MustCompile(`^TYPE[0-9]{1,5}$`).MatchString(name) {
		var n int
		if _, err := fmt.Sscanf(name, "TYPE%d", &n); err != nil || n < 1 || n > 65535 {
			return 0, faultf("Types go from TYPE1 to TYPE65535 (RFC 3597).", "%q is not a record type", name)
		}
		if known, ok := dns.TypeToString[uint16(n)]; ok {
			return 0, faultf(fmt.Sprintf("Write %q.", known), "%q has a name", name)
		}
		return uint16(n), nil
	}
	for _, own := range []struct{ names, why string }{
		{"SOA", "labnet makes it"},
		{"NS DNAME", "labnet answers for the whole domain and delegates nothing"},
		{"DNSKEY DS CDS CDNSKEY RRSIG NSEC NSEC3 NSEC3PARAM SIG KEY NXT DLV TA", "the domain is not signed"},
		{"ANY AXFR IXFR MAILA MAILB OPT TSIG TKEY NULL", "it is no type of records"},
	} {
		if slices.Contains(strings.Fields(own.names), name) {
			return 0, faultf("Leave it out.", "%s records can't be set: %s", name, own.why)
		}
	}
	if code, ok := dns.StringToType[name]; ok && dns.TypeToRR[code] != nil {
		return code, nil
	}
	if n := nearest(lower(name), lowerAll(slices.Collect(maps.Values(dns.TypeToString)))); n != "" {
		return 0, faultf(fmt.Sprintf("Did you mean %q?", strings.ToUpper(n)), "%q is not a record type", name)
	}
	return 0, faultf(`Known are A, AAAA, CNAME, MX, SRV, TXT, PTR, CAA, NAPTR and others; any at all can be written as "TYPE65280".`, "%q is not a record type", name)
}

func lowerAll(names []string) []string {
	for i := range names {
		names[i] = lower(names[i])
	}
	return names
}

// checkCNAMEs finds names that have something beside a CNAME (RFC 1034 section 3.6.2), and CNAMEs that lead back to themselves.
func (r *records) checkCNAMEs() {
	for owner, c := range r.cnames {
		var beside []string
		for _, what := range r.types[owner] {
			if what != "a CNAME record" {
				beside = append(beside, what)
			}
		}
		if len(beside) > 0 {
			r.b.error(c.n, c.n.name, fmt.Sprintf("%q has a CNAME beside %s", c.n.label, strings.Join(beside, " and ")),
				"A name with a CNAME stands for another name and has nothing else (RFC 1034 section 3.6.2).")
		}
		at := c.target
		for range r.cnames {
			if at == owner {
				r.b.error(c.n, c.n.at("value"), fmt.Sprintf("the CNAME %q leads back to itself", c.n.label), "")
				break
			}
			next, ok := r.cnames[at]
			if !ok {
				break
			}
			at = next.target
		}
	}
}

// rdata parses one value, and returns it in presentation format with absolute names.
func (r *records) rdata(n *node, code uint16, e elem) (string, bool) {
	s := strings.TrimSpace(e.v.(string))
	if i := strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }); i >= 0 {
		r.b.error(n, e.at, "the value has a control character in it", "")
		return "", false
	}
	if (code == dns.TypeTXT || code == dns.TypeSPF) && !strings.HasPrefix(s, `"`) {
		s = quoteText(e.v.(string))
	}
	typ := dns.TypeToString[code]
	if typ == "" {
		typ = fmt.Sprintf("TYPE%d", code)
	}
	parser := dns.NewZoneParser(strings.NewReader(fmt.Sprintf("x. 0 IN %s %s\n", typ, s)), r.origin, "")
	rr, ok := parser.Next()
	if err := parser.Err(); err != nil || !ok || rr.Header().Rrtype != code {
		r.b.error(n, e.at, fmt.Sprintf("%q is not the value of %s", e.v, withArticleFor(typ)), rdataHint(code))
		return "", false
	}
	r.checkTarget(n, e, rr, s)
	if unknown, ok := rr.(*dns.RFC3597); ok {
		return fmt.Sprintf(`\# %d %s`, len(unknown.Rdata)/2, unknown.Rdata), true
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String()), true
}

// checkTarget warns of the oldest trap of zone files: a name that was meant to be absolute, and lacks its last dot.
func (r *records) checkTarget(n *node, e elem, rr dns.RR, s string) {
	fields := strings.Fields(s)
	switch rr.(type) {
	case *dns.CNAME, *dns.MX, *dns.SRV, *dns.PTR:
	default:
		return
	}
	target := lower(fields[len(fields)-1])
	if strings.HasSuffix(target, ".") || !strings.Contains(target, ".") {
		return
	}
	_, public := publicsuffix.PublicSuffix(target)
	if public || strings.HasSuffix(target+".", "."+r.origin) {
		r.b.warn(n, e.at, fmt.Sprintf("%q is relative to the domain: it means %s.%s", target, target, strings.TrimSuffix(r.origin, ".")),
			fmt.Sprintf("If %s is the whole name, end it with a dot: %q.", target, target+"."))
	}
}

// quoteText writes text as the character strings of a TXT record, of 255 bytes each.
func quoteText(s string) string {
	var parts []string
	for {
		cut := min(len(s), 255)
		escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s[:cut])
		parts = append(parts, `"`+escaped+`"`)
		if s = s[cut:]; s == "" {
			return strings.Join(parts, " ")
		}
	}
}

func withArticleFor(typ string) string {
	if strings.ContainsRune("AMNSX", rune(typ[0])) && typ != "SVCB" && typ != "NAPTR" || typ == "HTTPS" {
		return "an " + typ + " record"
	}
	return "a " + typ + " record"
}

// rdataHint shows what a value looks like.
func rdataHint(code uint16) string {
	examples := map[uint16]string{
		dns.TypeA:     `"10.0.0.10"`,
		dns.TypeAAAA:  `"2001:db8::10"`,
		dns.TypeCNAME: `"builder", or "www.example.com." with a last dot for a name outside`,
		dns.TypePTR:   `"builder"`,
		dns.TypeMX:    `"10 mail": preference and host`,
		dns.TypeSRV:   `"0 5 5060 pbx": priority, weight, port and host`,
		dns.TypeCAA:   `"0 issue \"ca.example.org\""`,
		dns.TypeNAPTR: `"100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.org!\" ."`,
	}
	if e, ok := examples[code]; ok {
		return "Write " + e + "."
	}
	if dns.TypeToString[code] == "" {
		return `Write it as RFC 3597 has it: "\\# 4 0a000001".`
	}
	return "It is written as in a zone file (RFC 1035 section 5)."
}
