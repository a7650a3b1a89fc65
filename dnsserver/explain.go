package dnsserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Explanation is how a question is answered in one network, and why.
type Explanation struct {
	Network string
	Client  netip.Addr
	Name    string
	Type    string
	Steps   []Step
	// Open: an upstream would have to be asked, so that the rest isn't known.
	Open          bool
	Reason        string // the code
	Text          string // the reason in words
	Rcode         string
	Authoritative bool     // AA
	Authenticated bool     // AD
	Answer        []string // records in presentation format
	Authority     []string
	Extended      []string       // what RFC 8914 lets the answer say beside the RCODE
	Group         string         // of the upstreams
	Server        netip.AddrPort // whose answer it is, if one was asked now
	Took          time.Duration
	Remedies      []string // what may be done about it, if anything
}

// Explain decides a question as for a client, in each network that is meant, and says how. It counts nothing and marks nothing as used; with q.Ask
// an answer that an upstream gives is kept as always. The error wraps ErrQuestion, or is ctx's, or says that there is no such network. Safe
// for concurrent use.
func (s *Server) Explain(ctx context.Context, q Question) ([]Explanation, error) {
	n, err := parseName(q.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuestion, err)
	}
	// What this starts ends before the server does.
	s.mu.Lock()
	if s.state == stopped {
		s.mu.Unlock()
		return nil, errStopped
	}
	s.work.Add(1)
	s.mu.Unlock()
	defer s.work.Done()

	snap := s.snap.Load()
	views := snap.viewsOf(&q)
	if len(views) == 0 {
		return nil, fmt.Errorf("DNS is served in no network %q", q.Network)
	}
	out := make([]Explanation, len(views))
	errs := make([]error, len(views))
	// Together: those that ask the same of an upstream share its answer, and the wait for it.
	var all sync.WaitGroup
	for i, at := range views {
		all.Go(func() { out[i], errs[i] = s.explain(ctx, &q, n, snap, at) })
	}
	all.Wait()
	return out, errors.Join(errs...)
}

// explain asks in one network as a client does, and waits for the answer.
func (s *Server) explain(ctx context.Context, q *Question, n name, snap *snapshot, at netip.AddrPort) (Explanation, error) {
	from := q.Client
	if !from.IsValid() {
		from = at.Addr()
	}
	t := &trail{ask: q.Ask}
	answer := make(letterbox, 1)
	began := time.Now()
	reply, pending := s.serve(question(n, q), client{addr: netip.AddrPortFrom(from, 0), at: at, tcp: true, back: answer, trail: t}, nil)
	e := Explanation{
		Network: snap.views[at].network, Client: from, Name: n.String(), Type: dns.Type(q.Type).String(),
	}
	if pending && q.Ask {
		select {
		case reply = <-answer:
		case <-ctx.Done():
			return e, context.Cause(ctx)
		}
	}
	e.Took = time.Since(began)
	if t.barred != "" {
		t.whichList(s.BlockedBy(t.barred.String()))
	}
	e.Steps, e.Open = t.steps, pending && !q.Ask
	if e.Open {
		e.Group = t.steps[len(t.steps)-1].Group
		return e, nil
	}
	if !t.completed {
		return e, fmt.Errorf("network %s: the question wasn't answered, since it is being changed, or by a bug that the log tells of", e.Network)
	}
	e.take(t, reply)
	e.Remedies = snap.remedies(&e, t, n, q.Type)
	return e, nil
}

// letterbox is the answerer of an explanation.
type letterbox chan []byte

func (b letterbox) answer(message []byte, _ netip.AddrPort) { b <- message }

// take reads the answer.
func (e *Explanation) take(t *trail, reply []byte) {
	e.Reason, e.Text, e.Rcode = t.why.String(), t.why.text(), dns.RcodeToString[t.rcode]
	if t.group != nil {
		e.Group = t.group.name
	}
	if t.by != nil {
		e.Server = t.by.addr
	}
	var m dns.Msg
	if m.Unpack(reply) != nil {
		return
	}
	e.Authoritative, e.Authenticated = m.Authoritative, m.AuthenticatedData
	for _, rr := range m.Answer {
		e.Answer = append(e.Answer, presentation(rr))
	}
	for _, rr := range m.Ns {
		e.Authority = append(e.Authority, presentation(rr))
	}
	for _, ext := range extendedOf(&m) {
		e.Extended = append(e.Extended, strings.TrimSuffix(cmp.Or(dns.ExtendedErrorCodeToString[ext.code], "")+": "+ext.text, ": "))
	}
}

// presentation is a record with single spaces between its fields.
func presentation(rr dns.RR) string {
	h := rr.Header()
	return fmt.Sprintf("%s %d %s", h.Name, h.Ttl, data(rr))
}
