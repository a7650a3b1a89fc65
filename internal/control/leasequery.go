package control

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// LeaseQuery says which leases are wanted, and in which order. The zero value is all of them, by network and address.
type LeaseQuery struct {
	Network string // "" for all
	Filter  LeaseFilter
	Order   LeaseOrder
}

// LeaseFields are the fields that leases can be sorted by. LeaseFilter takes those that aren't times.
var LeaseFields = []string{
	"network", "address", "mac", "client_id", "name", "state", "reserved", "start", "expires", "last_seen", "hostname", "vendor_class",
}

// leaseTimes are the fields that can't be filtered by.
var leaseTimes = []string{"start", "expires", "last_seen"}

// LeaseFilter is conditions that must all hold. ParseLeaseFilter makes one; the zero value lets everything pass.
type LeaseFilter struct {
	text       string
	conditions []leaseCondition
}

type leaseCondition struct {
	negated bool
	match   []func(*Lease) bool // one of them must
}

// ParseLeaseFilter reads conditions such as "state=bound,name=web*": FIELD=VALUE or FIELD!=VALUE, with commas between them. A value
// may be several with | between them, of which one must fit; texts may have * and ?, and letter case makes no difference. An
// address may be a prefix, a MAC the beginning of one.
func ParseLeaseFilter(text string) (LeaseFilter, error) {
	f := LeaseFilter{text: text}
	if text == "" {
		return f, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		field, value, ok := strings.Cut(part, "=")
		if !ok {
			return LeaseFilter{}, fmt.Errorf("filter %q: want FIELD=VALUE or FIELD!=VALUE, such as state=bound", part)
		}
		c := leaseCondition{}
		if field, c.negated = strings.CutSuffix(field, "!"); !slices.Contains(LeaseFields, field) || slices.Contains(leaseTimes, field) {
			return LeaseFilter{}, fmt.Errorf("filter %q: there is no field %q; there is: %s", part, field, filterFields())
		}
		for alternative := range strings.SplitSeq(value, "|") {
			match, err := leaseMatcher(field, alternative)
			if err != nil {
				return LeaseFilter{}, fmt.Errorf("filter %q: %w", part, err)
			}
			c.match = append(c.match, match)
		}
		f.conditions = append(f.conditions, c)
	}
	return f, nil
}

func filterFields() string {
	return strings.Join(slices.DeleteFunc(slices.Clone(LeaseFields), func(f string) bool { return slices.Contains(leaseTimes, f) }), ", ")
}

func leaseMatcher(field, value string) (func(*Lease) bool, error) {
	switch field {
	case "address":
		if strings.ContainsAny(value, "*?") {
			return textMatcher(value, func(l *Lease) string { return l.Address.String() }), nil
		}
		prefix, err := ParseAddressFilter(value)
		return func(l *Lease) bool { return prefix.Contains(l.Address) }, err
	case "mac":
		pattern, err := ParseMACPattern(value)
		return func(l *Lease) bool { return pattern.Match(l.MAC) }, err
	case "reserved":
		want, err := strconv.ParseBool(value)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", value)
		}
		return func(l *Lease) bool { return l.Reserved == want }, nil
	case "state":
		if !strings.ContainsAny(value, "*?") && !slices.Contains(leaseStates, strings.ToLower(value)) {
			return nil, fmt.Errorf("there is no state %q; there is: %s", value, strings.Join(leaseStates, ", "))
		}
		return textMatcher(value, func(l *Lease) string { return l.State }), nil
	}
	return textMatcher(value, leaseTexts[field]), nil
}

var leaseStates = []string{"bound", "declined", "released", "expired", "observed"}

var leaseTexts = map[string]func(*Lease) string{
	"network":      func(l *Lease) string { return l.Network },
	"client_id":    func(l *Lease) string { return l.ClientID },
	"name":         func(l *Lease) string { return l.Name },
	"hostname":     func(l *Lease) string { return l.Hostname },
	"vendor_class": func(l *Lease) string { return l.VendorClass },
}

func textMatcher(pattern string, of func(*Lease) string) func(*Lease) bool {
	pattern = strings.ToLower(pattern)
	return func(l *Lease) bool { return wildcard(pattern, strings.ToLower(of(l))) }
}

// wildcard matches text as a whole; * stands for any bytes and ? for one. It takes no more than the product of both lengths.
func wildcard(pattern, text string) bool {
	star, mark := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0: // the last * takes one byte more
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Match reports whether all conditions hold for l.
func (f LeaseFilter) Match(l *Lease) bool {
	for _, c := range f.conditions {
		if slices.ContainsFunc(c.match, func(match func(*Lease) bool) bool { return match(l) }) == c.negated {
			return false
		}
	}
	return true
}

// Empty reports whether everything passes.
func (f LeaseFilter) Empty() bool { return len(f.conditions) == 0 }

// String is the filter as it was read.
func (f LeaseFilter) String() string { return f.text }

// LeaseOrder is fields to sort by, the first before the second. ParseLeaseOrder makes one.
type LeaseOrder []LeaseKey

// LeaseKey is a field to sort by.
type LeaseKey struct {
	Field      string // one of LeaseFields
	Descending bool
}

// ParseLeaseOrder reads fields with commas between them; one with - before it is sorted by in descending order.
func ParseLeaseOrder(text string) (LeaseOrder, error) {
	if text == "" {
		return nil, nil
	}
	var order LeaseOrder
	for part := range strings.SplitSeq(text, ",") {
		var k LeaseKey
		if k.Field, k.Descending = strings.CutPrefix(part, "-"); !slices.Contains(LeaseFields, k.Field) {
			return nil, fmt.Errorf("sort %q: there is no field %q; there is: %s", text, k.Field, strings.Join(LeaseFields, ", "))
		}
		order = append(order, k)
	}
	return order, nil
}

// String is the order as ParseLeaseOrder reads it.
func (o LeaseOrder) String() string {
	words := make([]string, len(o))
	for i, k := range o {
		if words[i] = k.Field; k.Descending {
			words[i] = "-" + k.Field
		}
	}
	return strings.Join(words, ",")
}

// OfLease is the query for the lease of one address.
func OfLease(network string, addr netip.Addr) LeaseQuery {
	f, _ := ParseLeaseFilter("address=" + addr.String()) // it is one
	return LeaseQuery{Network: network, Filter: f}
}
