package nettest

import (
	"net"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestHostsReachEachOtherAndNothingElse(t *testing.T) {
	a, b := NewHost(t, "a"), NewHost(t, "b")
	Link(t, a, "eth0", b, "eth0")
	a.Run(t, "ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
	b.Run(t, "ip", "address", "add", "192.0.2.2/24", "dev", "eth0")
	a.Run(t, "ping", "-c1", "-W2", "192.0.2.2")

	if out := a.Run(t, "ip", "-o", "link"); strings.Count(out, "\n") != 2 {
		t.Errorf("a host has more than lo and its link:\n%s", out)
	}
	a.Do(t, func() {
		if _, err := net.InterfaceByName("eth0"); err != nil {
			t.Errorf("Do isn't in the namespace: %v", err)
		}
	})
	if _, err := net.InterfaceByName("eth0"); err == nil {
		t.Error("the test process itself stands in a namespace with an eth0: the host's?")
	}
}
