package dhcpserver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
	"labnet/leases"
)

// forecaster is a world that can also be asked what it would answer.
type forecaster interface {
	world
	explain(q Query) (Explanation, error)
	leased() []leases.Lease
	deny(unknown bool)
}

func (p *paper) explain(q Query) (Explanation, error) {
	return explain(p.settings, p.table, q, time.Now())
}
func (p *paper) leased() []leases.Lease { return p.table.Leases("") }
func (p *paper) deny(unknown bool)      { p.settings.cfg.UnknownDenied = unknown }

func (l *lab) explain(q Query) (Explanation, error) { return l.server.Explain(q, time.Now()) }
func (l *lab) leased() []leases.Lease               { return l.table.Leases("") }

func (l *lab) deny(unknown bool) {
	cfg := l.server.settings.Load().cfg
	cfg.UnknownDenied = unknown
	_ = l.server.Reconfigure(cfg)
}

// explained is what the client of q is told, and must change nothing.
func explained(t *testing.T, w forecaster, q Query) Explanation {
	t.Helper()
	before := w.leased()
	e, err := w.explain(q)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.explain(q)
	if diff := cmp.Diff(e, again, comparableAnswers...); err != nil || diff != "" {
		t.Fatalf("explained twice: %v\n%s", err, diff)
	}
	if diff := cmp.Diff(before, w.leased(), comparableAnswers...); diff != "" {
		t.Errorf("explaining changed the leases:\n%s", diff)
	}
	return e
}

// asked is what the client of q sends.
func asked(q Query, kind messageType, requested netip.Addr) request {
	r := request{kind: kind, mac: string(q.HWAddr)}
	add := func(o Option) {
		if len(o.Data) > 0 {
			r.options = append(r.options, o)
		}
	}
	add(opt(optMaxMessageSize, 0xff, 0xff))
	add(Option{Code: optClientID, Data: q.ClientID})
	add(optString(optHostName, q.Hostname))
	add(optString(optVendorClass, q.Vendor))
	add(optString(optUserClass, q.UserClass))
	if q.Arch >= 0 {
		add(opt(optArchitecture, byte(q.Arch>>8), byte(q.Arch)))
	}
	if requested.IsValid() {
		add(optIP(optRequestedAddr, requested.String()))
	}
	return r
}

// agrees sends a message and compares the answer with the explanation.
func agrees(t *testing.T, w forecaster, what string, want Foretold, q request) {
	t.Helper()
	a, reason := w.exchange(t, q, broadcastFrom)
	if reason != want.Reason {
		t.Errorf("%s: decided %s, explained %s", what, reason, want.Reason)
	}
	if a == nil {
		if want.Reply != "" {
			t.Errorf("%s: no answer, explained %s", what, want.Reply)
		}
		return
	}
	if a.kind.String() != want.Reply {
		t.Fatalf("%s: answered %v, explained %q", what, a.kind, want.Reply)
	}
	if a.kind == typeNak {
		return
	}
	if file := string(bound(a.raw[offsetFile:offsetCookie])); file != want.BootFile || netip.AddrFrom4([4]byte(a.raw[offsetSiaddr:])) != anyAddr(want.NextServer) {
		t.Errorf("%s: boots %q, explained %q from %v", what, file, want.BootFile, want.NextServer)
	}
	if a.yiaddr != want.Addr {
		t.Errorf("%s: given %v, explained %v", what, a.yiaddr, want.Addr)
	}
	var codes []uint8
	for _, o := range want.Options {
		codes = append(codes, o.Code)
		// The times to renew differ with the message's id.
		if got := a.get(o.Code); !slices.Equal(got, o.Data) && o.Code != optRenewal && o.Code != optRebinding {
			t.Errorf("%s: option %d is %x, explained %x", what, o.Code, got, o.Data)
		}
	}
	if !slices.Equal(codes, a.codes) {
		t.Errorf("%s: options %v, explained %v", what, a.codes, codes)
	}
	if got := time.Duration(a.seconds(optLeaseTime)) * time.Second; got != want.LeaseTime {
		t.Errorf("%s: leased for %v, explained %v", what, got, want.LeaseTime)
	}
}

// anyAddr is a, or 0.0.0.0 for none.
func anyAddr(a netip.Addr) netip.Addr {
	if !a.IsValid() {
		return netip.IPv4Unspecified()
	}
	return a
}

var comparableAnswers = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) && errors.Is(b, a) }),
}

// forecast is a client's explanation and what comes of it.
type forecast struct {
	name          string
	config        func(*Config)
	network       func(*leases.Network)
	before        func(*play)
	slow          bool // time passes
	query         Query
	reply, reboot string // "" for none
	reason, why   Reason // of the two answers
	check         func(*testing.T, Explanation)
}

// comesTrue explains the client, and then asks one of the two as it would.
func (f *forecast) comesTrue(t *testing.T, w forecaster, kind messageType) {
	t.Helper()
	if f.before != nil {
		// Who is denied may have a lease of former times.
		w.deny(false)
		f.before(&play{t: t, world: w})
	}
	var cfg Config
	if f.config != nil {
		f.config(&cfg)
	}
	w.deny(cfg.UnknownDenied)
	e := explained(t, w, f.query)
	if kind == typeDiscover {
		agrees(t, w, "DISCOVER", e.Discover, asked(f.query, kind, f.query.Requested))
	} else if e.Reboot.Reason != "" {
		agrees(t, w, "INIT-REBOOT", e.Reboot, asked(f.query, kind, e.Reboot.Addr))
	}
	if e.Discover.Reply != f.reply || e.Discover.Reason != f.reason || e.Reboot.Reply != f.reboot || e.Reboot.Reason != f.why {
		t.Errorf("DISCOVER %s %s, INIT-REBOOT %s %s", e.Discover.Reply, e.Discover.Reason, e.Reboot.Reply, e.Reboot.Reason)
	}
	if f.check != nil {
		f.check(t, e)
	}
}

// Each answer in a world of its own: the one would change the other.
func TestExplanationsComeTrue(t *testing.T) {
	for _, f := range forecasts() {
		for _, kind := range []messageType{typeDiscover, typeRequest} {
			t.Run(f.name+"/"+kind.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPaper(t, row{config: f.config, network: f.network})
					runTable(t, p.table)
					f.comesTrue(t, p, kind)
				})
			})
		}
	}
}

func TestExplanationsComeTrueOnTheWire(t *testing.T) {
	for _, f := range forecasts() {
		if f.slow {
			continue // time is only fake without sockets
		}
		t.Run(f.name, func(t *testing.T) {
			f.comesTrue(t, newLab(t, f.config, withMarker(f.network)), typeDiscover)
		})
	}
}

// forecasts are clients in every state.
func forecasts() []forecast {
	ask := func(mac string) Query { return Query{HWAddr: leases.HWAddr(mac), Arch: -1} }
	return []forecast{
		{
			name: "a new client", query: ask(macA),
			reply: "OFFER", reason: ReasonOfferDerived,
			check: func(t *testing.T, e Explanation) {
				if e.Identity != IdentifiedByMAC || e.Leases.MatchedBy != leases.MatchNone || e.Leases.Pool.Addresses != 100 {
					t.Errorf("%+v", e)
				}
			},
		},
		{
			name: "a reservation", query: ask(macDB), config: func(c *Config) {
				c.Hosts = []HostOptions{{Host: "db", LeaseTime: time.Minute, Options: []Option{optString(12, "db"), optString(67, "pxelinux.0")}}}
			},
			reply: "OFFER", reason: ReasonOfferReservation,
			check: func(t *testing.T, e Explanation) {
				if e.Leases.MatchedBy != leases.MatchHWAddr || e.Discover.Name != "db" || e.Discover.LeaseTime != time.Minute ||
					!slices.ContainsFunc(e.Discover.Options, func(o Option) bool { return o.Code == 67 }) {
					t.Errorf("%+v", e)
				}
			},
		},
		{
			name: "options of a host, its class and the network", query: Query{HWAddr: leases.HWAddr(macDB), Arch: -1, Vendor: "disk"}, config: func(c *Config) {
				c.Options = append(c.Options, optString(100, "network"), optString(101, "network"), optString(17, "network"))
				c.Classes = []Class{{Name: "disks", VendorClasses: []string{"disk"}, Options: []Option{optString(101, "class"), optString(17, "class")}}}
				c.Hosts = []HostOptions{{Host: "db", Options: []Option{optString(17, "host")}}}
			},
			reply: "OFFER", reason: ReasonOfferReservation,
			check: func(t *testing.T, e Explanation) {
				got := map[uint8]string{}
				for i, o := range e.Discover.Options {
					got[o.Code] = e.Discover.Origins[i] + ": " + string(o.Data)
				}
				for code, want := range map[uint8]string{17: "host db: host", 101: "class disks: class", 100: "network: network", 53: ": \x02"} {
					if got[code] != want {
						t.Errorf("option %d is %q, want %q", code, got[code], want)
					}
				}
			},
		},
		{
			name: "a lease", query: ask(macA), before: func(p *play) { p.lease(macA, "10.0.0.120") },
			reply: "OFFER", reason: ReasonOfferBinding, reboot: "ACK", why: ReasonAckInitReboot,
		},
		{
			name: "a lease, asking for another address", before: func(p *play) { p.lease(macA, "10.0.0.120") },
			query: Query{HWAddr: macA, Arch: -1, Requested: netip.MustParseAddr("10.0.0.130")},
			reply: "OFFER", reason: ReasonOfferBinding, reboot: "NAK", why: ReasonNakOtherBinding,
		},
		{
			name: "an offer made a moment ago", query: ask(macA), before: func(p *play) { p.exchange(p.t, discover(macA, "10.0.0.140"), "") },
			reply: "OFFER", reason: ReasonOfferHold, reboot: "ACK", why: ReasonAckInitReboot,
		},
		{
			name: "a former lease", query: ask(macA), slow: true, before: func(p *play) { p.lease(macA, "10.0.0.120"); p.wait(2 * time.Hour) },
			reply: "OFFER", reason: ReasonOfferFormer, reboot: "ACK", why: ReasonAckInitReboot,
		},
		{
			name:  "a free address requested",
			query: Query{HWAddr: macA, Arch: -1, Requested: netip.MustParseAddr("10.0.0.130"), Hostname: "vm1", Vendor: "PXEClient:Arch:7", UserClass: "iPXE"},
			reply: "OFFER", reason: ReasonOfferRequested, reboot: "ACK", why: ReasonAckAdopted,
			check: func(t *testing.T, e Explanation) {
				if e.Discover.Name != "vm1" || e.Client.VendorClass != "PXEClient:Arch:7" {
					t.Errorf("%+v", e)
				}
			},
		},
		{
			name: "another's address requested", before: func(p *play) { p.lease(macB, "10.0.0.120") },
			query: Query{HWAddr: macA, Arch: -1, Requested: netip.MustParseAddr("10.0.0.120")},
			reply: "OFFER", reason: ReasonOfferDerived, reboot: "NAK", why: ReasonNakTaken,
		},
		{
			name: "another network's address requested", query: Query{HWAddr: macA, Arch: -1, Requested: netip.MustParseAddr("192.0.2.9")},
			reply: "OFFER", reason: ReasonOfferDerived, reboot: "NAK", why: ReasonNakOffLink,
		},
		{
			name: "classes", query: Query{HWAddr: macA, Arch: 7, UserClass: "iPXE", Vendor: "PXEClient:Arch:00007"}, config: func(c *Config) {
				c.Classes = []Class{
					{Name: "bios", Architectures: []uint16{0}, Boot: Boot{File: "undionly.kpxe"}},
					{Name: "uefi", Architectures: []uint16{7}, Boot: Boot{File: "ipxe.efi", NextServer: netip.MustParseAddr("10.0.0.3")}, LeaseTime: time.Minute},
					{Name: "ipxe", UserClasses: []string{"iPXE"}, Boot: Boot{File: "http://10.0.0.3/boot.ipxe"}},
				}
			},
			reply: "OFFER", reason: ReasonOfferDerived,
			check: func(t *testing.T, e Explanation) {
				if !slices.Equal(e.Classes, []string{"uefi", "ipxe"}) || e.Discover.BootFile != "http://10.0.0.3/boot.ipxe" ||
					e.Discover.NextServer.String() != "10.0.0.3" || e.Discover.LeaseTime != time.Minute {
					t.Errorf("%+v", e)
				}
			},
		},
		{
			name: "denied", query: ask(macA), config: func(c *Config) { c.UnknownDenied = true },
			reason: ReasonDenied,
		},
		{
			name: "denied, with a lease of former times", query: ask(macA), before: func(p *play) { p.lease(macA, "10.0.0.120") },
			config: func(c *Config) { c.UnknownDenied = true },
			reason: ReasonDenied, reboot: "NAK", why: ReasonNakDenied,
		},
		{
			name: "denied, but reserved", query: ask(macDB), config: func(c *Config) { c.UnknownDenied = true },
			reply: "OFFER", reason: ReasonOfferReservation,
		},
		{
			name: "exhausted", query: ask(macA), network: oneAddress, before: func(p *play) { p.lease(macB, "10.0.0.100") },
			reason: ReasonExhausted,
			check: func(t *testing.T, e Explanation) {
				if want := (leases.PoolUse{Addresses: 1, Leased: 1}); e.Leases.Pool != want {
					t.Errorf("the pool is %+v", e.Leases.Pool)
				}
			},
		},
		{
			name: "all offered", query: ask(macA), network: oneAddress, before: func(p *play) { p.exchange(p.t, discover(macB, ""), "") },
			reply: "OFFER", reason: ReasonOfferTakenBack,
		},
		{
			name: "quarantined", query: Query{HWAddr: macA, Arch: -1, Requested: netip.MustParseAddr("10.0.0.120")},
			before: func(p *play) {
				p.lease(macB, "10.0.0.120")
				p.exchange(p.t, decline(macB, "10.0.0.120"), "")
			},
			reply: "OFFER", reason: ReasonOfferDerived, reboot: "NAK", why: ReasonNakQuarantined,
			check: func(t *testing.T, e Explanation) {
				if len(e.Leases.Quarantined) != 1 || e.Leases.Quarantined[0].Addr.String() != "10.0.0.120" || e.Leases.Pool.Quarantined != 1 {
					t.Errorf("%+v", e.Leases)
				}
			},
		},
		{
			name: "a reservation whose address is quarantined", query: ask(macDB), before: func(p *play) {
				p.lease(macDB, "10.0.0.50")
				p.exchange(p.t, decline(macDB, "10.0.0.50"), "")
			},
			reply: "OFFER", reason: ReasonOfferDerived,
			check: func(t *testing.T, e Explanation) {
				if !errors.Is(e.Leases.Obstacle, leases.ErrQuarantined) || e.Leases.ReservedFor.Addr.String() != "10.0.0.50" {
					t.Errorf("%+v", e.Leases)
				}
			},
		},
		{
			name: "a boot ROM", query: Query{HWAddr: macA, Arch: 7, Vendor: "PXEClient:Arch:00007", UserClass: "iPXE"}, config: chainLoading,
			reply: "OFFER", reason: ReasonOfferDerived,
			check: func(t *testing.T, e Explanation) {
				d := e.Discover
				if !slices.Equal(e.Classes, []string{"uefi", "ipxe"}) || d.BootFile != "http://10.0.0.5/boot.ipxe" || d.NextServer != addrOf("10.0.0.5") {
					t.Errorf("classes %v, boots %s from %v", e.Classes, d.BootFile, d.NextServer)
				}
			},
		},
		{
			name: "not authoritative", query: Query{HWAddr: macA, Arch: -1, Requested: netip.MustParseAddr("10.0.0.120")}, config: humble,
			reply: "OFFER", reason: ReasonOfferRequested, why: ReasonNotOurs,
		},
		{
			name: "a client identifier", query: Query{HWAddr: macA, Arch: 7, ClientID: []byte("\xffabc")},
			before: func(p *play) {
				p.exchange(p.t, with(discover(macA, "10.0.0.133"), optString(optClientID, "\xffabc")), "")
			},
			reply: "OFFER", reason: ReasonOfferHold, reboot: "ACK", why: ReasonAckInitReboot,
			check: func(t *testing.T, e Explanation) {
				if e.Identity != IdentifiedByClientID {
					t.Errorf("known by %s", e.Identity)
				}
			},
		},
		{
			name: "a clone", query: Query{HWAddr: macA, Arch: -1, ClientID: []byte("\xffabc")},
			before: func(p *play) {
				id := optString(optClientID, "\xffabc")
				p.exchange(p.t, with(selecting(macB, "10.0.0.133"), id), "")
			},
			reply: "OFFER", reason: ReasonOfferDerived,
			check: func(t *testing.T, e Explanation) {
				if e.Identity != IdentifiedAsClone {
					t.Errorf("known by %s", e.Identity)
				}
			},
		},
	}
}

func TestExplainRefuses(t *testing.T) {
	p := newPaper(t, row{})
	for _, test := range []struct {
		name  string
		query Query
		want  string
	}{
		{"no MAC", Query{Arch: -1}, "is no MAC"},
		{"a long MAC", Query{HWAddr: "12345678", Arch: -1}, "is no MAC"},
		{"a client identifier of one byte", Query{HWAddr: macA, ClientID: []byte{1}, Arch: -1}, "2 to 255 bytes"},
		{"a long client identifier", Query{HWAddr: macA, ClientID: make([]byte, 256), Arch: -1}, "2 to 255 bytes"},
		{"a long name", Query{HWAddr: macA, Hostname: strings.Repeat("x", 256), Arch: -1}, "at most 255 bytes"},
		{"a long vendor class", Query{HWAddr: macA, Vendor: strings.Repeat("x", 256), Arch: -1}, "at most 255 bytes"},
		{"no architecture", Query{HWAddr: macA, Arch: 65536}, "architecture 65536"},
		{"IPv6", Query{HWAddr: macA, Arch: -1, Requested: netip.MustParseAddr("2001:db8::1")}, "no IPv4"},
	} {
		if _, err := explain(p.settings, p.table, test.query, time.Now()); !errors.Is(err, ErrQuery) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	largest := Query{
		HWAddr: macA, ClientID: make([]byte, 255), Hostname: strings.Repeat("x", 255), Vendor: strings.Repeat("v", 255),
		UserClass: strings.Repeat("u", 255), Arch: 65535, Requested: netip.MustParseAddr("10.0.0.120"),
	}
	if e, err := explain(p.settings, p.table, largest, time.Now()); err != nil || e.Discover.Reply != "OFFER" {
		t.Errorf("the largest query: %+v, %v", e, err)
	}
}

// Another machine uses the address: it shows in an explanation before and after it is found out, and in the trace when it is.
func TestAnAddressInUseIsTracedAndExplained(t *testing.T) {
	l := newProbingLab(t, nil)
	_, squatter := l.squat(t, "squatter", "10.0.0.120")
	q := Query{HWAddr: macA, Arch: -1, Requested: netip.MustParseAddr("10.0.0.120")}
	nettest.Eventually(t, patience, func() error {
		l.server.probe.askBeside(q.Requested, time.Now())
		if e, err := l.explain(q); err != nil || e.Discover.Addr != q.Requested || e.Discover.UsedBy.String() != squatter {
			return fmt.Errorf("%+v, %w", e.Discover, err)
		}
		return nil
	})
	sub := l.server.tracer.Subscribe(func(e *Event) bool { return e.HWAddr == macA })
	defer sub.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l.client.send(discover(macA, "10.0.0.120"), broadcastFrom)
	var reasons []Reason
	for answered := false; !answered; {
		e, lost, err := sub.Next(ctx)
		if err != nil || lost > 0 {
			t.Fatalf("%v after %v, %d lost", err, reasons, lost)
		}
		if reasons = append(reasons, e.Reason); e.Reason == ReasonConflict && (e.Addr != q.Requested || e.Err != "used by "+squatter) {
			t.Errorf("%+v", e)
		}
		if answered = e.Reply != ""; answered && e.Addr == q.Requested {
			t.Errorf("offered in spite of it: %+v", e)
		}
	}
	if !slices.Contains(reasons, ReasonConflict) {
		t.Errorf("traced %v", reasons)
	}
	nettest.Eventually(t, patience, func() error {
		e, err := l.explain(q)
		if err != nil || e.Discover.Addr == q.Requested || e.Reboot.Reason != ReasonNakQuarantined ||
			len(e.Leases.Quarantined) != 1 || e.Leases.Quarantined[0].HWAddr.String() != squatter {
			return fmt.Errorf("%+v, %w", e, err)
		}
		return nil
	})
}
