package control

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"time"
)

// TraceEvent is one DHCP message and what became of it. Fields are absent where they don't apply. What a client sent may
// be any text.
type TraceEvent struct {
	Time      time.Time  `json:"time" doc:"When the message was received"`
	Network   string     `json:"network"`
	Interface string     `json:"interface"`
	Message   string     `json:"message,omitempty" doc:"DISCOVER, REQUEST, DECLINE, RELEASE, INFORM; or what a server would send; absent where it can't be told"`
	State     string     `json:"state,omitempty" doc:"The client's, of a REQUEST: selecting, init-reboot, renew or rebind"`
	From      string     `json:"from,omitempty" doc:"Source address and port of the message"`
	Broadcast bool       `json:"broadcast,omitempty" doc:"The message was sent to everyone"`
	MAC       string     `json:"mac,omitempty"`
	ClientID  string     `json:"client_id,omitempty" doc:"Option 61 in hexadecimal"`
	Relay     netip.Addr `json:"relay,omitzero" doc:"giaddr"`
	XID       string     `json:"xid,omitempty"`
	InUse     netip.Addr `json:"in_use,omitzero" doc:"ciaddr: the address that the client uses"`
	Requested netip.Addr `json:"requested,omitzero" doc:"Option 50"`
	Hostname  string     `json:"hostname,omitempty" doc:"The name that the client asks for"`
	Vendor    string     `json:"vendor_class,omitempty"`
	Reply     string     `json:"reply,omitempty" doc:"OFFER, ACK or NAK; absent for none"`
	ReplyTo   string     `json:"reply_to,omitempty" doc:"Address and port that the reply went to"`
	Address   netip.Addr `json:"address,omitzero" doc:"What is given, refused, declined or released"`
	Name      string     `json:"name,omitempty" doc:"The DNS label that goes with the lease"`
	Reason    string     `json:"reason" doc:"The reason code, as in the counters"`
	Text      string     `json:"text" doc:"The reason in words"`
	Beside    []string   `json:"beside,omitempty" doc:"Reason codes of what happened beside"`
	Took      int64      `json:"took_us" doc:"Microseconds from receiving the message to having sent the reply, the commit included"`
	Error     string     `json:"error,omitempty"`
}

// traceLine is a line of the stream: an event, or a count of lost ones, or the end.
type traceLine struct {
	*TraceEvent
	Lost uint64 `json:"lost,omitempty" doc:"So many events are missing here, since they were not read in time"`
	End  string `json:"end,omitempty" doc:"Why nothing more comes"`
}

// TraceFilter says which events are wanted: those to which all of it applies. Empty parts apply to every event.
type TraceFilter struct {
	MAC     MACPattern
	Address netip.Prefix // what is given, asked for or used by the client lies in it
	Network string
	Reason  string
}

// Subscription is a running one to events. Implementations: the daemon's, and a list in tests.
type Subscription[E any] interface {
	// Next waits for an event, or says how many were lost at this place. The error is ctx's.
	Next(ctx context.Context) (event E, lost uint64, err error)
	Close()
}

// Trace is a subscription to DHCP messages.
type Trace = Subscription[TraceEvent]

// MACPattern is which MACs are meant: those that begin with it, or that match it as a whole where it has * or ?. "" means
// every one, also none. ParseMACPattern makes one.
type MACPattern string

// ParseMACPattern reads a pattern: hexadecimal digits, in pairs with colons or hyphens, and * and ? as in the shell.
func ParseMACPattern(s string) (MACPattern, error) {
	p := strings.ToLower(strings.ReplaceAll(s, "-", ":"))
	// It is looked for in every message: longer ones than of the longest address with * between all digits cost time for nothing.
	if len(p) > 95 {
		return "", fmt.Errorf("a pattern of %d characters is longer than any MAC", len(p))
	}
	if at := strings.IndexFunc(p, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef:*?", r) }); at >= 0 {
		return "", fmt.Errorf("%q is no MAC, nor the beginning of one: want hexadecimal digits and colons, and * or ?", s)
	}
	if strings.ContainsAny(p, "*?") {
		return MACPattern(p), nil
	}
	octets := strings.Split(p, ":")
	for i, octet := range octets {
		if len(octet) == 2 || len(octet) < 2 && i == len(octets)-1 && i <= 16 {
			continue
		}
		return "", fmt.Errorf("%q is no MAC, nor the beginning of one: each byte has two digits, as in 52:54:00", s)
	}
	return MACPattern(p), nil
}

// Match reports whether mac, in lower case with colons, is meant.
func (p MACPattern) Match(mac string) bool {
	if strings.ContainsAny(string(p), "*?") {
		ok, err := path.Match(string(p), mac)
		return ok && err == nil
	}
	return strings.HasPrefix(mac, string(p))
}

// ParseAnyAddressFilter is ParseAddressFilter for addresses of IPv6 too: who asks may be anywhere.
func ParseAnyAddressFilter(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a prefix such as 10.0.0.0/28", s)
	}
	return prefix.Masked(), nil
}

// ParseAddressFilter reads an address or a prefix such as 10.0.0.0/28.
func ParseAddressFilter(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Is4() {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil || !prefix.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q is neither an IPv4 address nor a prefix such as 10.0.0.0/28", s)
	}
	return prefix.Masked(), nil
}
