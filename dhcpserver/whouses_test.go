package dhcpserver

import (
	"context"
	"errors"
	"testing"

	"labnet/internal/nettest"
)

func TestWhoUsesAnAddress(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t, nil, nil) // ConflictProbe is off
	_, mac := l.squat(t, "squatter", "10.0.0.120")
	for range 2 { // what was asked a moment ago is asked again
		if got, err := l.server.WhoUses(t.Context(), addrOf("10.0.0.120")); err != nil || got.String() != mac {
			t.Errorf("10.0.0.120 is used by %q, %v, want %s", got, err, mac)
		}
	}
	if got, err := l.server.WhoUses(t.Context(), addrOf("10.0.0.121")); err != nil || got != "" {
		t.Errorf("10.0.0.121 is used by %q, %v", got, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.server.WhoUses(ended, addrOf("10.0.0.121")); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}
