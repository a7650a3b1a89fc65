package netcfg

import (
	"context"
	"errors"
	"testing"
)

func TestAnApplyThatFailsIsRemembered(t *testing.T) {
	r := newRouter(t)
	h := r.open(t)
	if got := h.Stats(); !got.Applied.IsZero() || got.Failed {
		t.Fatalf("before the first: %+v", got)
	}
	r.Run(t, "ip", "link", "add", "br0", "type", "veth", "peer", "name", "other")
	if _, err := h.Apply(context.Background(), networks(lab())); err == nil {
		t.Fatal("applied over a link of somebody else's")
	}
	if got := h.Stats(); got.Applied.IsZero() || !got.Failed {
		t.Errorf("after a failure: %+v", got)
	}
	r.Run(t, "ip", "link", "del", "br0")
	apply(t, h, networks(lab()))
	if got := h.Stats(); got.Failed {
		t.Errorf("after a success: %+v", got)
	}

	// Who counts doesn't wait for who changes.
	if err := h.enter(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer h.leave()
	ended, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	if _, err := h.CountersWithin(ended); err == nil || err.Error() != "enough" {
		t.Errorf("counted while another one changes: %v", err)
	}
}
