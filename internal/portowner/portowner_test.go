package portowner

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"labnet/internal/nettest"
)

func TestMain(m *testing.M) { nettest.Main(m) }

// TestBothWaysFindTheSame opens a port in every way and asks sock_diag and /proc.
func TestBothWaysFindTheSame(t *testing.T) {
	for _, tc := range []struct{ network, at, want string }{
		{"udp4", "127.0.0.9:0", "127.0.0.9"},
		{"udp4", "0.0.0.0:0", "0.0.0.0"},
		{"udp6", "[::1]:0", "::1"},
		{"udp6", "[::]:0", "::"},
		{"tcp4", "127.0.0.9:0", "127.0.0.9"},
		{"tcp4", "0.0.0.0:0", "0.0.0.0"},
		{"tcp6", "[::]:0", "::"},
	} {
		t.Run(tc.network+" "+tc.at, func(t *testing.T) {
			protocol := tc.network[:3]
			var port uint16
			if protocol == "udp" {
				c, err := net.ListenPacket(tc.network, tc.at)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				port = c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
			} else {
				l, err := net.Listen(tc.network, tc.at)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				port = l.Addr().(*net.TCPAddr).AddrPort().Port()
				// A connection at the same port is none that receives for others.
				c, err := net.Dial(tc.network, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
			}
			want := []Holder{{
				Local: netip.AddrPortFrom(netip.MustParseAddr(tc.want), port), UID: uint32(os.Getuid()),
				PID: os.Getpid(), Process: comm(t),
			}}
			ignore := cmpopts.IgnoreFields(Holder{}, "Link", "inode")
			same := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
			got, err := Holders(protocol, port)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, same, ignore, cmpopts.IgnoreUnexported(Holder{})); diff != "" {
				t.Errorf("sock_diag (-want +got):\n%s", diff)
			}
			if got[0].Link != AnyLink {
				t.Errorf("link %d", got[0].Link)
			}
			got, err = byProc(protocol, func(p uint16) bool { return p == port })
			if err != nil {
				t.Fatal(err)
			}
			nameProcesses(got)
			if diff := cmp.Diff(want, got, same, ignore, cmpopts.IgnoreUnexported(Holder{})); diff != "" {
				t.Errorf("/proc (-want +got):\n%s", diff)
			}
			if got[0].Link != UnknownLink {
				t.Errorf("/proc tells link %d", got[0].Link)
			}
		})
	}
}

func TestAFreePortHasNoHolder(t *testing.T) {
	for _, protocol := range []string{"udp", "tcp"} {
		if got, err := Holders(protocol, 9); err != nil || len(got) != 0 {
			t.Errorf("%s: got %v, %v", protocol, got, err)
		}
	}
}

func TestReceives(t *testing.T) {
	for _, tc := range []struct {
		local, addr string
		want        bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"0.0.0.0", "192.0.2.1", true},
		{"::", "192.0.2.1", true},
		{"192.0.2.2", "192.0.2.1", false},
		{"2001:db8::1", "192.0.2.1", false},
	} {
		h := Holder{Local: netip.AddrPortFrom(netip.MustParseAddr(tc.local), 67)}
		if got := h.Receives(netip.MustParseAddr(tc.addr)); got != tc.want {
			t.Errorf("%s receives what is sent to %s: %v", tc.local, tc.addr, got)
		}
	}
}

func comm(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
