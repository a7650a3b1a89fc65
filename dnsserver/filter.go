package dnsserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Filter says which events of a Tracer are wanted: those to which all of it applies. Empty parts apply to every event.
type Filter struct {
	Network string
	Client  netip.Prefix
	Under   string // this name, and every name under it
	Type    string
	Reason  string
	Rcode   string
}

// Matcher returns what Subscribe takes; nil for a filter that lets everything pass. The error wraps ErrQuestion.
func (f Filter) Matcher() (func(*Event) bool, error) {
	if f == (Filter{}) {
		return nil, nil
	}
	var under name
	var err error
	qtype, rcode := "", strings.ToUpper(f.Rcode)
	if f.Under != "" {
		if under, err = parseName(f.Under); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrQuestion, err)
		}
	}
	if f.Type != "" {
		code := recordType(f.Type)
		if code == 0 {
			return nil, fmt.Errorf("%w: %q is not a type, such as A, AAAA, PTR or TYPE65", ErrQuestion, f.Type)
		}
		qtype = dns.Type(code).String()
	}
	if f.Reason != "" && !slices.Contains(reasonNames[:], f.Reason) {
		return nil, fmt.Errorf("%w: there is no reason %q; the counters of `labnet status -o json` name them", ErrQuestion, f.Reason)
	}
	if _, known := dns.StringToRcode[rcode]; rcode != "" && !known {
		return nil, fmt.Errorf("%w: there is no response code %q; the usual are NOERROR, NXDOMAIN, SERVFAIL and REFUSED", ErrQuestion, f.Rcode)
	}
	return func(e *Event) bool {
		return (f.Network == "" || e.Network == f.Network) && (!f.Client.IsValid() || f.Client.Contains(e.Client.Addr().WithZone(""))) &&
			(f.Under == "" || e.asked != "" && e.asked.under(under)) && (qtype == "" || e.Type == qtype) &&
			(f.Reason == "" || e.Reason == f.Reason) && (rcode == "" || e.Rcode == rcode)
	}, nil
}
