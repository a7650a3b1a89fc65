package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func (b *table) TAPs(_ context.Context, network string) ([]TAP, error) {
	if network == "none" {
		return nil, fmt.Errorf("%w: no such network", ErrNotFound)
	}
	return b.taps, nil
}

func (b *table) AddTAPs(_ context.Context, caller Caller, n NewTAPs) ([]TAP, error) {
	b.callers, b.newTAPs = append(b.callers, caller), append(b.newTAPs, n)
	if n.Owner == "alice" {
		return nil, fmt.Errorf("%w: not for alice", ErrForbidden)
	}
	made := make([]TAP, len(n.Names))
	for i, name := range n.Names {
		made[i] = TAP{Name: name, Network: "lab", Origin: OriginRuntime}
	}
	return made, nil
}

func (b *table) DeleteTAPs(_ context.Context, caller Caller, names []string, force bool) ([]TAP, error) {
	b.callers = append(b.callers, caller)
	var gone []TAP
	for _, name := range names {
		if name == "busy" && !force {
			return nil, fmt.Errorf("%w: busy is in use", ErrConflict)
		}
		gone = append(gone, TAP{Name: name})
	}
	return gone, nil
}

func (b *table) Ports(context.Context, string) ([]Port, error) { return nil, nil }

func TestTAPs(t *testing.T) {
	full := TAP{
		Name: "tap0", Network: "lab", Origin: OriginFile, Owner: "alice", MAC: "52:54:00:00:00:01", Bridge: "br0", InUse: true, PID: 7, Process: "qemu",
		Address: netip.MustParseAddr("10.0.0.5"), Guest: "vm1",
	}
	b := &table{taps: []TAP{full, {Name: "tap1", Network: "lab", Origin: OriginAttached}}}
	c := client(t, serve(t, b))
	got, err := c.TAPs(t.Context(), "lab")
	if diff := cmp.Diff(b.taps, got, sameAddr); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := c.TAPs(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no network: %v", err)
	}

	// Who asks is told to the backend, whoever it is.
	want := NewTAPs{Names: []string{"tap2", "tap3"}, Network: "lab", Group: "kvm", MultiQueue: true, Run: true}
	made, err := c.AddTAPs(t.Context(), want)
	if err != nil || len(made) != 2 || made[1].Name != "tap3" {
		t.Errorf("made: %+v, %v", made, err)
	}
	if diff := cmp.Diff([]NewTAPs{want}, b.newTAPs); diff != "" {
		t.Error(diff)
	}
	if len(b.callers) != 1 || b.callers[0] != (Caller{UID: uint32(os.Geteuid()), PID: os.Getpid(), Admin: os.Geteuid() == 0}) {
		t.Errorf("callers: %+v", b.callers)
	}
	if _, err := c.AddTAPs(t.Context(), NewTAPs{Names: []string{"x"}, Owner: "alice"}); err == nil || err.Error() != "not for alice" {
		t.Errorf("for somebody else: %v", err)
	}
	if _, err := c.AddTAPs(t.Context(), NewTAPs{}); err == nil || len(b.callers) != 2 {
		t.Errorf("no name: %v, %d calls", err, len(b.callers))
	}
	if _, err := c.DeleteTAPs(t.Context(), []string{"tap2", "busy"}, false); !errors.Is(err, ErrConflict) {
		t.Errorf("in use: %v", err)
	}
	if gone, err := c.DeleteTAPs(t.Context(), []string{"tap2", "busy"}, true); err != nil || len(gone) != 2 || gone[1].Name != "busy" {
		t.Errorf("by force: %+v, %v", gone, err)
	}
}
