package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"labnet/internal/control"
	"labnet/internal/nettest"
)

func TestOneDaemonANamespace(t *testing.T) {
	nettest.NeedRoot(t)
	if pid, ok := Running(); ok {
		t.Fatalf("a daemon (%d) runs before the first", pid)
	}
	first, err := claim(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if pid, ok := Running(); !ok || pid != os.Getpid() {
		t.Errorf("Running: %d, %v, want %d", pid, ok, os.Getpid())
	}
	if second, err := claim(t.Context(), nil); err == nil {
		_ = second.Close()
		t.Error("a second daemon may run")
	} else if !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("the error doesn't name the first: %v", err)
	}
	other := nettest.NewHost(t, "elsewhere")
	other.Do(t, func() {
		elsewhere, err := claim(t.Context(), nil)
		if err != nil {
			t.Errorf("in another namespace: %v", err)
			return
		}
		_ = elsewhere.Close()
	})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := Running(); ok {
		t.Error("it runs still after its end")
	}
	again, err := claim(t.Context(), nil)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	_ = again.Close()
}

func TestDownOfADaemonThatEnds(t *testing.T) {
	d := &daemon{down: make(chan downRequest), ended: make(chan struct{})}
	close(d.ended)
	if _, err := d.Down(t.Context()); !errors.Is(err, control.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	d.ended = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Down(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("who asks goes: %v", err)
	}
}
