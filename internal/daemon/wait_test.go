package daemon

import (
	"errors"
	"testing"

	"labnet/internal/control"
)

func TestWhatIsWaitedFor(t *testing.T) {
	d := &daemon{cfg: load(t, `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name = "br0"
  }
  dns {
    domain = "lab.internal"
  }
}
network "dev" {
  address = "10.1.0.1/24"
  bridge {
    name = "br1"
  }
  dns {
    domain = "dev.lab.internal"
  }
}
`)}
	for _, c := range []struct {
		q          control.WaitQuery
		label, mac string
		networks   int
		err        error
	}{
		{control.WaitQuery{Key: "VM1"}, "vm1", "", 2, nil},
		{control.WaitQuery{Key: "vm1", Network: "dev"}, "vm1", "", 1, nil},
		{control.WaitQuery{Key: "vm1.lab.internal."}, "vm1", "", 1, nil},
		{control.WaitQuery{Key: "vm1.dev.lab.internal"}, "vm1", "", 1, nil},
		{control.WaitQuery{Key: "www.web.lab.internal", For: control.WaitDNS}, "www.web", "", 1, nil},
		{control.WaitQuery{Key: "www.web.lab.internal", For: control.WaitLease}, "", "", 0, control.ErrInvalid},
		{control.WaitQuery{Key: "vm1.example.org", For: control.WaitDNS}, "", "", 0, control.ErrInvalid},
		{control.WaitQuery{Key: "vm1.lab.internal", Network: "dev"}, "", "", 0, control.ErrInvalid},
		{control.WaitQuery{Key: "vm1", Network: "none"}, "", "", 0, control.ErrNotFound},
		{control.WaitQuery{Key: "52-54-00-AB-CD-EF"}, "", "52:54:00:ab:cd:ef", 2, nil},
		{control.WaitQuery{Key: "00:AB"}, "", "00:ab", 2, nil},
		{control.WaitQuery{Key: "5254.00ab.cdef"}, "", "52:54:00:ab:cd:ef", 2, nil},
	} {
		w, err := d.newWait(c.q)
		switch {
		case !errors.Is(err, c.err):
			t.Errorf("%+v: %v, want %v", c.q, err, c.err)
		case err == nil && (w.label != c.label || w.mac != c.mac || len(w.networks) != c.networks):
			t.Errorf("%+v: %q, %q in %d networks, want %q, %q in %d", c.q, w.label, w.mac, len(w.networks), c.label, c.mac, c.networks)
		}
	}
}
