package dnsserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

func TestResolvConf(t *testing.T) {
	got := fmt.Sprint(parseResolvConf("# nameserver 192.0.2.9\nsearch lab\nnameserver 127.0.0.53\n nameserver\t192.0.2.1 # x\nnameserver fe80::1%eth0\n" +
		"nameserver nonsense\nnameserver\nnameserver 192.0.2.1\noptions edns0\nnameserver 0.0.0.0"))
	if want := "[127.0.0.53:53 192.0.2.1:53 [fe80::1%eth0]:53 127.0.0.1:53]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFollowedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	cfg := labs(freePort(t))
	cfg.Upstreams = []UpstreamGroup{{Name: "default", Follow: path}}
	s := startServer(t, cfg, testLeases())
	for _, step := range []struct{ text, want string }{
		{"nameserver 192.0.2.1\n", "192.0.2.1:53"},
		{"nameserver 192.0.2.2\nnameserver 192.0.2.1\n", "192.0.2.1:53 192.0.2.2:53"},
		{"", ""},
	} {
		// As tools do it: a new file in place of the old one.
		next := path + ".new"
		if err := os.WriteFile(next, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
		nettest.Eventually(t, 10*time.Second, func() error {
			var addrs []string
			for _, u := range s.Upstreams() {
				addrs = append(addrs, u.Addr.String())
			}
			if got := strings.Join(addrs, " "); got != step.want {
				return fmt.Errorf("upstreams %q, want %q", got, step.want)
			}
			return nil
		})
	}
}
