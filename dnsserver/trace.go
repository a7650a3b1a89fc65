package dnsserver

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/tracer"
)

// Event is a question and what became of it. The name may be any bytes that a client chose, in presentation format.
type Event struct {
	Time     time.Time // when the question was read
	Network  string
	Client   netip.AddrPort
	TCP      bool
	Name     string // "" where the message wasn't understood, and Type too
	Type     string
	Reason   string // the code
	Text     string // the reason in words
	Rcode    string
	Upstream string         // the group that the question belongs to; "" for what is answered here
	Server   netip.AddrPort // of the group, whose answer it is; invalid where none was asked
	Cached   bool           // no upstream was asked, since the answer was known
	Took     time.Duration  // from reading the question to having the answer

	asked name
	reply []byte
}

// Tracer hands events to whoever watches.
type Tracer = tracer.Tracer[Event]

// Subscription is one reader of a Tracer.
type Subscription = tracer.Subscription[Event]

// Tracer returns what hands over the server's decisions. While somebody watches, each takes some microseconds longer.
func (s *Server) Tracer() *Tracer { return &s.tracer }

// Answer returns the records of the answer section, each as type and data; none where it wasn't kept, since it was longer than an answer
// over UDP.
func (e *Event) Answer() []string {
	var m dns.Msg
	if len(e.reply) == 0 || m.Unpack(e.reply) != nil {
		return nil
	}
	var all []string
	for _, rr := range m.Answer {
		all = append(all, data(rr))
	}
	return all
}

// data is a record's type and data in presentation format.
func data(rr dns.RR) string {
	return dns.Type(rr.Header().Rrtype).String() + " " + strings.TrimPrefix(rr.String(), rr.Header().String())
}

// publish hands a decision to who traces.
func (s *Server) publish(l *lookup, rcode int, reply []byte) {
	e := &Event{
		Time: l.began, Network: l.view.network, Client: l.client.addr, TCP: l.client.tcp, Reason: l.why.String(), Text: l.why.text(),
		Rcode: dns.RcodeToString[rcode], Cached: l.why.cached(), Took: time.Since(l.began),
	}
	if l.question != nil {
		e.asked, e.Name, e.Type = l.name, l.name.String(), dns.Type(l.qtype).String()
	}
	if l.group != nil {
		e.Upstream = l.group.name
	}
	if l.by != nil {
		e.Server = l.by.addr
	}
	if len(reply) <= ednsSize {
		e.reply = slices.Clone(reply)
	}
	s.tracer.Publish(e)
}

// logQuery writes a decision to a log.
func logQuery(log *slog.Logger, l *lookup, rcode int, level slog.Level) {
	n, qtype := "", ""
	if l.question != nil {
		n, qtype = l.name.String(), dns.Type(l.qtype).String()
	}
	log.LogAttrs(context.Background(), level, "query", slog.String("network", l.view.network),
		slog.String("client", l.client.addr.Addr().String()), slog.String("name", n), slog.String("type", qtype),
		slog.String("reason", l.why.String()), slog.String("rcode", dns.RcodeToString[rcode]))
}
