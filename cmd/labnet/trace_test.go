package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

// shot is one line of a trace.
type shot struct {
	event control.TraceEvent
	lost  uint64
}

// projector shows a film, and then nothing more.
type projector struct {
	film []shot
	next int
}

func (p *projector) Next(ctx context.Context) (control.TraceEvent, uint64, error) {
	if p.next < len(p.film) {
		p.next++
		return p.film[p.next-1].event, p.film[p.next-1].lost, nil
	}
	<-ctx.Done()
	return control.TraceEvent{}, 0, context.Cause(ctx)
}

func (p *projector) Close() {}

func (f *fake) Trace(filter control.TraceFilter) (control.Trace, error) {
	f.seen = filter
	if filter.Reason == "nonsense" {
		return nil, fmt.Errorf("%w: there is no reason %q", control.ErrInvalid, filter.Reason)
	}
	return &projector{film: f.film}, nil
}

// exampleFilm has each kind of line, as hostile as a guest can make it.
func exampleFilm() []shot {
	at := at("2030-01-02T03:04:05.678901Z")
	addr := netip.MustParseAddr
	event := func(message, state, reply, address, reason, text string) shot {
		at = at.Add(1234 * time.Microsecond)
		e := control.TraceEvent{
			Time: at, Network: "lab", Interface: "br0", Message: message, State: state, From: "0.0.0.0:68", Broadcast: true,
			MAC: "52:54:00:00:00:01", XID: "0000002a", Reply: reply, Reason: reason, Text: text, Took: 1234,
		}
		if address != "" {
			e.Address = addr(address)
		}
		return shot{event: e}
	}
	film := []shot{
		event("DISCOVER", "", "OFFER", "10.0.0.57", "offer_derived", "an address derived from its MAC"),
		event("REQUEST", "selecting", "ACK", "10.0.0.57", "ack_selecting", "it took our offer"),
		event("REQUEST", "renew", "ACK", "10.0.0.57", "ack_renew", "renews its lease"),
		event("REQUEST", "rebind", "NAK", "10.0.0.57", "nak_taken", "another client has the address"),
		event("REQUEST", "init-reboot", "NAK", "192.168.100.200", "nak_off_link", "the address is not of this network"),
		event("DISCOVER", "", "", "", "exhausted", "no address is free"),
		event("RELEASE", "", "", "10.0.0.57", "released", "given back; the address is free"),
		{lost: 37},
		event("DISCOVER", "", "OFFER", "10.0.0.58", "offer_requested", "the address that it asks for"),
		event("", "", "", "", "too_short", "too short for a DHCP message"),
	}
	film[1].event.Name = "builder"
	film[2].event.Reason, film[2].event.Text, film[2].event.Error = "send_failed", "the reply could not be sent", "network is down"
	film[2].event.Beside = []string{"malformed_served", "ack_renew"}
	film[5].event.Hostname = "\x1b[31mowned\x07\u009b2J\r\n\u202e"
	film[8].event.Relay = addr("10.0.0.9")
	film[8].event.Requested, film[8].event.InUse = addr("10.0.0.58"), addr("10.0.0.59")
	film[8].event.ClientID, film[8].event.Vendor, film[8].event.ReplyTo = "01:52", "\x1b]0;title\x07", "10.0.0.9:67"
	last := &film[9].event
	last.MAC, last.From, last.XID, last.Broadcast, last.Error = "", "10.0.0.77:1234", "", false, "3 bytes"
	return film
}

func TestTrace(t *testing.T) {
	for _, test := range []struct{ name, args string }{
		{"trace-json", "trace dhcp --count 9 -o json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, &fake{film: exampleFilm()}, strings.Fields(test.args)...)
			if got.Code != exitDone || got.ErrOut != "tracing DHCP; Ctrl-C ends\n" {
				t.Errorf("%+v", got)
			}
			harmless(t, got.Out)
			golden(t, test.name, got.Out)
		})
	}
	f := &fake{film: exampleFilm()}
	if got := ask(t, f, "trace", "dhcp", "--count", "2", "--mac", "52-54-00", "--addr", "10.0.0.7/28", "--network", "lab", "--reason", "exhausted"); got.Code != exitDone || strings.Count(got.Out, "\n") != 2 {
		t.Errorf("%+v", got)
	}
	if want := (control.TraceFilter{MAC: "52:54:00", Address: netip.MustParsePrefix("10.0.0.0/28"), Network: "lab", Reason: "exhausted"}); f.seen != want {
		t.Errorf("the filter is %+v", f.seen)
	}
	if got := ask(t, f, "trace", "dhcp", "--reason", "nonsense"); got.Code != exitFailed || !strings.Contains(got.ErrOut, `there is no reason "nonsense"`) {
		t.Errorf("%+v", got)
	}
}

func TestTraceLines(t *testing.T) {
	var out bytes.Buffer
	for i, s := range exampleFilm() {
		if err := writeTraceLine(&out, s.event, s.lost, i == 0, time.UTC); err != nil {
			t.Fatal(err)
		}
	}
	harmless(t, out.String())
	golden(t, "trace", out.String())
	for line := range strings.Lines(out.String()) {
		// What guests add and errors may be longer.
		if !strings.ContainsAny(line, "(:[") && len([]rune(line)) > 101 {
			t.Errorf("longer than 100 columns: %s", line)
		}
	}
}

// Ctrl-C ends a trace that waits, without a complaint; so does a full disk, with one.
func TestTraceEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	socket, end := serveFake(t, &fake{film: exampleFilm()[:1]})
	defer end()
	args := []string{"trace", "dhcp", "--socket", socket, "-c", socket + ".none"}
	out := &ending{after: 1, stop: stop}
	var errOut bytes.Buffer
	if code := execute(ctx, args, nil, out, &errOut); code != exitDone || strings.Contains(errOut.String(), "labnet:") {
		t.Errorf("exit code %d: %s", code, errOut.String())
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	errOut.Reset()
	if code := execute(t.Context(), args, nil, full, &errOut); code != exitFailed || !strings.Contains(errOut.String(), syscall.ENOSPC.Error()) {
		t.Errorf("exit code %d: %s", code, errOut.String())
	}
}

// ending calls stop with the write number after.
type ending struct {
	after int
	stop  func()
}

func (w *ending) Write(b []byte) (int, error) {
	if w.after--; w.after == 0 {
		w.stop()
	}
	return len(b), nil
}

func TestTraceAndExplainListWhatThereIs(t *testing.T) {
	for _, verb := range []string{"trace", "explain"} {
		if got := labnet(t, nil, verb); got.Code != exitDone || !strings.Contains(got.Out, "\n  dhcp    ") || got.ErrOut != "" {
			t.Errorf("%s: %+v", verb, got)
		}
	}
}

func TestCompletionByTheDaemon(t *testing.T) {
	f := &fake{leases: exampleLeases()[:2]}
	for _, test := range []struct{ args, want string }{
		{"trace |", "dhcp\tWatch DHCP messages: what was answered, and why\ndns\tWatch DNS questions: what was answered, and why\n:4\n"},
		{"trace dhcp --reason |", "ack\t7 times\nnak\t1 times\n:4\n"},
		{"trace dhcp --network |", "dmz\trouted, 10.1.0.1/24\nlab\trouted, 10.0.0.1/24\n:4\n"},
		{"trace dhcp --mac |", "52:54:00:00:00:01\tbuilder\n52:54:00:00:00:02\t10.0.0.60\n:4\n"},
		{"explain dhcp |", "10.0.0.57\tbuilder\n10.0.0.60\t52:54:00:00:00:02\n52:54:00:00:00:01\tbuilder\n52:54:00:00:00:02\t10.0.0.60\nbuilder\t10.0.0.57\n:4\n"},
		{"explain dhcp builder |", ":4\n"},
		{"explain dhcp builder --hostname |", ":4\n"},
		{"explain dhcp builder --network |", "dmz\trouted, 10.1.0.1/24\nlab\trouted, 10.0.0.1/24\n:4\n"},
		{"trace dhcp --addr |", "10.0.0.57\tbuilder\n10.0.0.60\t52:54:00:00:00:02\n:4\n"},
		{"leases show |", "10.0.0.57\tbuilder\n10.0.0.60\t52:54:00:00:00:02\n52:54:00:00:00:01\tbuilder\n52:54:00:00:00:02\t10.0.0.60\nbuilder\t10.0.0.57\n:4\n"},
		{"leases release builder |", ":4\n"},
		{"leases list --network |", "dmz\trouted, 10.1.0.1/24\nlab\trouted, 10.0.0.1/24\n:4\n"},
		{"leases show --network |", "dmz\trouted, 10.1.0.1/24\nlab\trouted, 10.0.0.1/24\n:4\n"},
		{"explain dhcp -o |", "text\njson\nyaml\n:4\n"},
	} {
		socket, stop := serveFake(t, f)
		words := strings.Fields(strings.TrimSuffix(test.args, "|"))
		line := append([]string{cobra.ShellCompRequestCmd, "--socket", socket, "-c", socket + ".none"}, append(words, "")...)
		got := labnet(t, nil, line...)
		stop()
		if got.Out != test.want {
			t.Errorf("%s: %q, want %q (%s)", test.args, got.Out, test.want, got.ErrOut)
		}
	}
}
