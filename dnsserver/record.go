package dnsserver

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// parse returns a record's owner and its RRs, names relative to origin.
func (r *Record) parse(origin name) (name, []dns.RR, error) {
	owner := origin
	if r.Name != "@" {
		full := r.Name
		if !strings.HasSuffix(full, ".") {
			full += "." + origin.String()
		}
		var err error
		if owner, err = parseName(full); err != nil {
			return "", nil, fmt.Errorf("record %s %s: %w", r.Name, r.Type, err)
		}
	}
	qtype := recordType(r.Type)
	switch {
	case qtype == 0 || metaType(qtype):
		return "", nil, fmt.Errorf("record %s: %q is not a type of records (A, AAAA, CNAME, MX, SRV, TXT, …, TYPE65280)", r.Name, r.Type)
	case qtype == dns.TypeSOA || qtype == dns.TypeNS:
		return "", nil, fmt.Errorf("record %s: %s is made by the server itself: its zones have no cuts", r.Name, r.Type)
	case qtype == dns.TypeDNAME || dnssecType(qtype):
		return "", nil, fmt.Errorf("record %s: %s has a meaning beyond its data, which local zones don't serve", r.Name, r.Type)
	case len(r.Values) == 0:
		return "", nil, fmt.Errorf("record %s %s has no value", r.Name, r.Type)
	case qtype == dns.TypeCNAME && len(r.Values) > 1:
		return "", nil, fmt.Errorf("record %s CNAME has %d values: a name has one canonical name", r.Name, len(r.Values))
	case r.TTL < 0 || r.TTL > math.MaxInt32*time.Second: // RFC 2181 section 8
		return "", nil, fmt.Errorf("record %s %s: the TTL %v is not between 0 and 2147483647 seconds", r.Name, r.Type, r.TTL)
	}
	ttl := uint32(hostTTL)
	if r.TTL > 0 {
		ttl = uint32(max(r.TTL/time.Second, 1))
	}
	var records []dns.RR
	for _, value := range r.Values {
		rr, err := parseRData(owner, qtype, ttl, value, origin)
		if err != nil {
			return "", nil, fmt.Errorf("record %s %s: %q: %w", r.Name, r.Type, value, err)
		}
		records = append(records, rr)
	}
	return owner, records, nil
}

func parseRData(owner name, qtype uint16, ttl uint32, value string, origin name) (dns.RR, error) {
	// The zone file's own syntax (directives, further records) has no place in a value.
	if strings.ContainsAny(value, "\r\n\x00") {
		return nil, fmt.Errorf("a value is one line")
	}
	if strings.TrimSpace(value) == "" {
		return nil, fmt.Errorf("the value is empty")
	}
	line := fmt.Sprintf("%s %d IN %s %s", owner, ttl, dns.Type(qtype), value)
	parser := dns.NewZoneParser(strings.NewReader(line+"\n"), origin.String(), "")
	rr, ok := parser.Next()
	if err := parser.Err(); err != nil {
		return nil, fmt.Errorf("not in presentation format: %w", err)
	}
	if !ok || rr == nil || rr.Header().Rrtype != qtype {
		return nil, fmt.Errorf("not a value of that type")
	}
	if _, more := parser.Next(); more {
		return nil, fmt.Errorf("more than one value")
	}
	// What can't be packed now would fail every query.
	buffer := make([]byte, maxTCP)
	end, err := dns.PackRR(rr, buffer, 0, nil, false)
	if err != nil {
		return nil, err
	}
	// Read back: from the wire every name and escape has one form, also of types given as \# data.
	rr, _, err = dns.UnpackRR(buffer[:end], 0)
	if err != nil {
		return nil, err
	}
	if !wellFormed(rr) {
		return nil, fmt.Errorf("the data isn't complete for that type")
	}
	return rr, nil
}

// recordType returns a type by mnemonic or as TYPE123, RFC 3597 section 5; 0 if there is none.
func recordType(s string) uint16 {
	s = strings.ToUpper(s)
	if t, ok := dns.StringToType[s]; ok {
		return t
	}
	var t uint16
	if n, err := fmt.Sscanf(s, "TYPE%d", &t); n != 1 || err != nil {
		return 0
	}
	return t
}

// metaType tells the types that exist only in messages, RFC 6895 section 3.1.
func metaType(t uint16) bool {
	return t == dns.TypeOPT || t >= 128 && t <= 255 || t == dns.TypeReserved
}

func dnssecType(t uint16) bool {
	switch t {
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeDNSKEY, dns.TypeDS:
		return true
	}
	return false
}
