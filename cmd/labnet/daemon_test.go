package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"labnet/internal/control"
	"labnet/internal/nettest"
)

// fake is a daemon of fixed answers.
type fake struct {
	ports    []control.Port
	leases   []control.Lease
	happens  []control.LeaseEvent
	reserved []control.Reservation
	newTAPs  []control.NewTAPs
	past     []control.Tenancy
	wanted   control.HistoryQuery
	ended    []netip.Addr
	downs    int
	film     []shot
	seen     control.TraceFilter
	asked    control.DHCPQuery
	queried  control.DNSQuery
	dnsSeen  control.DNSTraceFilter
	flushes  []string

	imports  []control.ImportRequest
	imported control.ImportAnswer
}

func (f *fake) Status(context.Context) control.Status { return exampleStatus() }

func (f *fake) Leases(_ context.Context, q control.LeaseQuery) iter.Seq[control.Lease] {
	return slices.Values(slices.DeleteFunc(slices.Clone(f.leases), func(l control.Lease) bool {
		return q.Network != "" && l.Network != q.Network || !q.Filter.Match(&l)
	}))
}

func (f *fake) History(_ context.Context, q control.HistoryQuery) (iter.Seq2[control.Tenancy, error], error) {
	f.wanted = q
	return entries(f.past), nil
}

func (f *fake) Release(_ context.Context, network string, addr netip.Addr, _ bool) (control.Lease, error) {
	for _, l := range f.leases {
		if l.Network == network && l.Address == addr {
			f.ended = append(f.ended, addr)
			return l, nil
		}
	}
	return control.Lease{}, fmt.Errorf("%w: nobody leases %v", control.ErrNotFound, addr)
}

func (f *fake) Health() control.Health { return control.Health{State: control.Ready} }

func (f *fake) Metrics() http.Handler { return http.NotFoundHandler() }

// WatchLeases lists the leases, and ends with what the test says of them.
func (f *fake) WatchLeases(_ context.Context, w control.LeaseWatch, emit func(control.LeaseEvent) error) error {
	err := emit(control.LeaseEvent{Event: control.EventResync, Seq: 41, Instance: "one", Reason: control.ResyncStart})
	for l := range f.Leases(context.Background(), control.LeaseQuery{Network: w.Network, Filter: w.Filter}) {
		err = errors.Join(err, emit(control.LeaseEvent{Event: control.EventListed, Lease: &l}))
	}
	err = errors.Join(err, emit(control.LeaseEvent{Event: control.EventSynced, Seq: 41}))
	for _, e := range f.happens {
		err = errors.Join(err, emit(e))
	}
	return err
}

// WaitLease finds a lease in force, and resolves its name.
func (f *fake) WaitLease(ctx context.Context, q control.WaitQuery) (control.WaitResult, error) {
	for _, l := range f.leases {
		if l.State == "bound" && (l.Name == q.Key || l.MAC == q.Key) {
			return control.WaitResult{Done: true, Lease: &l, Name: l.Name + ".lab.internal", Addresses: []netip.Addr{l.Address}}, nil
		}
	}
	<-ctx.Done()
	return control.WaitResult{Obstacle: "no lease in force has it"}, nil
}

func (f *fake) Reservations(context.Context, string) []control.Reservation { return f.reserved }

func (f *fake) Reserve(_ context.Context, r control.Reservation) (control.Reservation, error) {
	if r.Name == "taken" {
		return r, fmt.Errorf("%w: host \"x\" has the name \"taken\"", control.ErrConflict)
	}
	r.Origin, r.Obstacle = control.OriginRuntime, "10.0.0.57 is leased to another until its next renewal"
	f.reserved = append(f.reserved, r)
	return r, nil
}

func (f *fake) Unreserve(_ context.Context, r control.Reservation) (control.Reservation, error) {
	for i, one := range f.reserved {
		if one.Network == r.Network && one.MAC == r.MAC {
			f.reserved = slices.Delete(f.reserved, i, i+1)
			return one, nil
		}
	}
	return r, fmt.Errorf("%w: nothing is reserved", control.ErrNotFound)
}

func (f *fake) ImportLeases(_ context.Context, r control.ImportRequest) (control.ImportAnswer, error) {
	f.imports = append(f.imports, r)
	return f.imported, nil
}

func (f *fake) Apply(context.Context, control.ApplyRequest) (control.Applied, error) {
	return control.Applied{Changes: exampleChanges()}, nil
}

func (f *fake) Commit(context.Context, string) (control.Applied, error) {
	return control.Applied{}, fmt.Errorf("%w: nothing is prepared", control.ErrConflict)
}

func (f *fake) Reload(context.Context) ([]control.Change, error) { return exampleChanges(), nil }

func (f *fake) Upgrade(context.Context) (control.Upgrade, error) {
	return control.Upgrade{}, fmt.Errorf("%w: bin/labnet isn't fit to take over (exit status 1): unknown flag", control.ErrConflict)
}

func (f *fake) Down(context.Context) ([]control.Change, error) {
	f.downs++
	return exampleChanges(), nil
}

// ask runs the command line against a daemon with f's answers.
func ask(t *testing.T, f *fake, args ...string) result {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	socket, stop := serveFake(t, f)
	defer stop()
	return labnet(t, nil, append(args, "--socket", socket, "-c", socket+".none")...)
}

// serveFake runs a daemon with f's answers until stop is called, and returns its socket.
func serveFake(t *testing.T, f *fake) (socket string, stop func()) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "labnet.sock")
	server, err := control.Listen(socket, f, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	return socket, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestAskingTheDaemon(t *testing.T) {
	for _, test := range []struct{ name, args string }{
		{"status-json", "status -o json"},
		{"leases-json", "leases -o json"},
		{"leases-csv", "leases list -o csv"},
		{"leases-csv-network", "leases --network dmz -o csv"},
		{"lease-json", "leases show 10.0.0.66 -o json"},
		{"explain-json", "explain dhcp 10.0.0.66 -o json"},
		{"status-yaml", "status -o yaml"},
		{"cache-yaml", "cache -o yaml"},
		{"wait-json", "leases wait builder -o json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, &fake{leases: exampleLeases()}, strings.Fields(test.args)...)
			if got.Code != exitDone || got.ErrOut != "" {
				t.Errorf("%+v", got)
			}
			harmless(t, got.Out)
			golden(t, test.name, got.Out)
		})
	}
}

func TestNoLeasesIsAList(t *testing.T) {
	if got := ask(t, &fake{}, "leases", "-o", "json"); got != (result{exitDone, "[]\n", ""}) {
		t.Errorf("%+v", got)
	}
	if got := ask(t, &fake{}, "leases", "--network", "dmz", "-o", "json"); got != (result{exitDone, "[]\n", ""}) {
		t.Errorf("a network without leases: %+v", got)
	}
	if got := ask(t, &fake{}, "leases", "--network", "nowhere"); got.Code != exitFailed || !strings.Contains(got.ErrOut, "there is: lab, dmz") {
		t.Errorf("no such network: %+v", got)
	}
}

func TestFindLease(t *testing.T) {
	for _, test := range []struct {
		name, args string
		want       string // what is found, or part of the error
	}{
		{"address", "10.0.0.57", "10.0.0.57"},
		{"label", "builder", "10.0.0.57"},
		{"label in capitals", "Builder", "10.0.0.57"},
		{"with its domain", "builder.lab.internal", "10.0.0.57"},
		{"with its domain, absolute and in capitals", "BUILDER.Lab.Internal.", "10.0.0.57"},
		{"with another's domain", "builder.example.com", `no lease has the address, name or MAC "builder.example.com"`},
		{"with the domain of another network", "builder.dmz.internal", "no lease has"},
		{"MAC", "52:54:00:00:00:01", "10.0.0.57"},
		{"MAC in capitals with hyphens", "52-54-00-AB-CD-EF", "10.0.0.66"},
		{"in two networks", "twin", `"twin" is ambiguous: 10.0.0.70 in lab, 10.1.0.70 in dmz;`},
		{"in two networks, by domain", "twin.dmz.internal", "10.1.0.70"},
		{"in two networks, by network", "twin --network dmz", "10.1.0.70"},
		{"in force before ended", "phoenix", "10.0.0.81"},
		{"ended only", "gone", "10.0.0.90"},
		{"ambiguous address", "10.0.0.70 --network dmz", "no lease has"},
		{"no name isn't a name", ".", "no lease has"},
		{"nobody's", "10.0.0.200", "no lease has"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, &fake{leases: exampleLeases()}, append([]string{"leases", "show"}, strings.Fields(test.args)...)...)
			if _, err := netip.ParseAddr(test.want); err == nil {
				if got.Code != exitDone || !strings.HasPrefix(got.Out, "address       "+test.want+"\n") {
					t.Errorf("%+v", got)
				}
			} else if got.Code != exitFailed || !strings.Contains(got.ErrOut, test.want) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestRelease(t *testing.T) {
	f := &fake{leases: exampleLeases()}
	got := ask(t, f, "leases", "release", "builder")
	if os.Geteuid() != 0 {
		if got.Code != exitFailed || len(f.ended) > 0 || !strings.Contains(got.ErrOut, "sudo") {
			t.Errorf("without root: %+v", got)
		}
		return
	}
	if got != (result{exitDone, "released 10.0.0.57 (52:54:00:00:00:01, builder)\n", ""}) {
		t.Errorf("%+v", got)
	}
	if got := ask(t, f, "leases", "release", "twin"); got.Code != exitFailed {
		t.Errorf("an ambiguous name: %+v", got)
	}
	if want := []netip.Addr{netip.MustParseAddr("10.0.0.57")}; !slices.Equal(f.ended, want) {
		t.Errorf("ended %v, want %v", f.ended, want)
	}
}

func TestDown(t *testing.T) {
	f := &fake{}
	got := ask(t, f, "down")
	if os.Geteuid() != 0 {
		if got.Code != exitFailed || f.downs > 0 {
			t.Errorf("without root: %+v", got)
		}
		return
	}
	if got.Code != exitDone || got.ErrOut != "" || f.downs != 1 {
		t.Errorf("%d times down: %+v", f.downs, got)
	}
	golden(t, "changes", got.Out)
}

func TestDownWithoutADaemon(t *testing.T) {
	nettest.NeedRoot(t)
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	got := labnet(t, nil, "down", "--socket", none, "-c", none, "--state-dir", dir)
	if got != (result{exitDone, "nothing of labnet's is up\n", ""}) {
		t.Errorf("%+v", got)
	}
}

func TestPlan(t *testing.T) {
	nettest.NeedRoot(t)
	inDir(t, map[string]string{"lab.hcl": tidy})
	plan := []string{"plan", "-c", "lab.hcl", "--state-dir", t.TempDir()}
	text := labnet(t, nil, plan...)
	if text.Code != exitDone || !strings.Contains(text.Out, "\n  + link br0 ") || strings.Contains(text.Out, "warning") {
		t.Errorf("%+v", text)
	}
	if again := labnet(t, nil, append(plan, "--detailed-exitcode")...); again.Code != exitChanges || again.Out != text.Out {
		t.Errorf("a plan changed the host, or isn't stable: %+v\nbefore: %+v", again, text)
	}
	var decoded struct {
		Changes  []control.Change
		Problems []control.Problem
	}
	asJSON := labnet(t, nil, append(plan, "-o", "json")...)
	if err := json.Unmarshal([]byte(asJSON.Out), &decoded); err != nil || asJSON.Code != exitDone {
		t.Fatalf("%v: %+v", err, asJSON)
	}
	var same bytes.Buffer
	if err := writeChanges(&same, decoded.Changes); err != nil || same.String() != text.Out || decoded.Problems == nil {
		t.Errorf("JSON says otherwise than the text: %s", asJSON.Out)
	}
}

func TestNobodyAnswers(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, verb := range []string{"status", "leases", "leases show x", "leases release x", "leases history x", "trace dhcp", "explain dhcp x", "explain dhcp 52:54:00:00:00:01"} {
		got := labnet(t, nil, append(strings.Fields(verb), "--socket", none, "-c", none)...)
		if got.Code != exitFailed || got.Out != "" || !strings.Contains(got.ErrOut, "no labnet daemon answers at "+none) {
			t.Errorf("%s: %+v", verb, got)
		}
	}
}

// The socket is found by its flag, by the environment, by --run-dir and by the configuration, in this order.
func TestPaths(t *testing.T) {
	inDir(t, map[string]string{"lab.hcl": "daemon {\n  run_dir = \"/run/other\"\n}\n" + tidy})
	for _, test := range []struct {
		name, env string
		flags     global
		want      string
	}{
		{"default", "", global{config: "none.hcl"}, "/run/labnet/labnet.sock"},
		{"configuration", "", global{config: "lab.hcl"}, "/run/other/labnet.sock"},
		{"run directory", "", global{config: "lab.hcl", runDir: "/run/third"}, "/run/third/labnet.sock"},
		{"environment", "/env.sock", global{config: "lab.hcl", runDir: "/run/third"}, "/env.sock"},
		{"flag", "/env.sock", global{config: "lab.hcl", socket: "/flag.sock"}, "/flag.sock"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("LABNET_SOCKET", test.env)
			if got := test.flags.quietPaths(); got.Socket != test.want {
				t.Errorf("%s, want %s", got.Socket, test.want)
			}
		})
	}
}

// at is a time of the examples.
func at(t string) time.Time {
	parsed, err := time.Parse(time.RFC3339, t)
	if err != nil {
		panic(err)
	}
	return parsed
}
