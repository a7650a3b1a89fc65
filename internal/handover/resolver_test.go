package handover

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"labnet/internal/dhcpclient"
	"labnet/internal/nettest"
)

func TestResolvConf(t *testing.T) {
	nettest.NeedRoot(t)
	lease := dhcpclient.Lease{Resolvers: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("192.0.2.54")}, Domain: "example.org"}
	const ours = resolvMark + "br0\nsearch example.org\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n"
	for _, c := range []struct{ name, before, want, meanwhile, after string }{
		{"another's", "nameserver 198.51.100.1\n", ours, "", "nameserver 198.51.100.1\n"},
		{"none", "", ours, "", ""},
		{"the host asks itself", "nameserver 127.0.0.1\nnameserver ::1\n", "nameserver 127.0.0.1\nnameserver ::1\n", "", "nameserver 127.0.0.1\nnameserver ::1\n"},
		{"the host asks its own address", "nameserver 192.0.2.2\n", "nameserver 192.0.2.2\n", "", "nameserver 192.0.2.2\n"},
		{"the host asks itself and others", "nameserver 127.0.0.1\nnameserver 198.51.100.1\n", ours, "", "nameserver 127.0.0.1\nnameserver 198.51.100.1\n"},
		{"written since", "nameserver 198.51.100.1\n", ours, "nameserver 198.51.100.9\n", "nameserver 198.51.100.9\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.host.Do(t, func() {
				h := s.open(t)
				defer h.Close()
				path := filepath.Join(h.root, resolvConf)
				is := func(when, want string) {
					t.Helper()
					if got, err := os.ReadFile(path); err != nil || string(got) != want {
						t.Errorf("%s: %v\n%s\nwant\n%s", when, err, got, want)
					}
				}
				put := func(text string) {
					t.Helper()
					if err := overwrite(path, []byte(text)); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				put(c.before)
				tenant := &tenant{Host: h, state: State{Config: Config{Bridge: "br0"}}}
				for range 2 { // the second time nothing is to be done
					if err := tenant.resolve(lease); err != nil {
						t.Fatal(err)
					}
					is("leased", c.want)
				}
				if c.meanwhile != "" {
					put(c.meanwhile)
				}
				for range 2 {
					if err := h.unresolve("br0"); err != nil {
						t.Fatal(err)
					}
					is("gone back", c.after)
				}
			})
		})
	}
}

// The files of a namespace that has none of its own are others'.
func TestResolvConfOfOthers(t *testing.T) {
	nettest.NeedRoot(t)
	s := newSite(t)
	s.host.Do(t, func() {
		h := s.open(t)
		defer h.Close()
		h.root = ""
		if keeper := h.resolvKeeper(); keeper != "" {
			t.Errorf("resolv.conf is kept by %q", keeper)
		}
	})
}
