package dhcpserver

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestRealClientsAreToldMore has real clients ask for classless routes (RFC 3442), the name that they got (RFC 4702) and, where
// they can, for their address in two messages (RFC 4039).
func TestRealClientsAreToldMore(t *testing.T) {
	nettest.NeedRoot(t)
	ownStateOfDhcpcd(t)
	l := newLab(t, func(c *Config) {
		c.RapidCommit = true
		c.Domain = "lab.example.org"
		c.Options = append(c.Options, optString(optClasslessRoutes, "\x10\x0a\x01\x0a\x00\x00\x0a"))
	}, nil)
	for i, tc := range []struct {
		client realClient
		want   map[string]string
		reason Reason
	}{
		{
			realClient{
				name: "udhcpc",
				start: func(dir string) []string {
					return []string{"udhcpc", "-f", "-i", "eth0", "-s", dir + "/hook", "-t", "20", "-T", "1", "-F", "UDHCPC", "-O", "staticroutes"}
				},
			},
			map[string]string{"staticroutes": "10.1.0.0/16 10.0.0.10 0.0.0.0/0 10.0.0.1", "router": "10.0.0.1", "opt81": "01ffff" + fmt.Sprintf("%x", "udhcpc.lab.example.org")},
			ReasonAckSelecting,
		},
		{
			realClient{
				name: "dhclient",
				files: map[string]string{
					"conf": "option classless code 121 = array of unsigned integer 8;\noption microsoft code 249 = array of unsigned integer 8;\n" +
						"send fqdn.fqdn \"DHclient\";\nsend fqdn.encoded on;\nsend fqdn.server-update on;\n" +
						"request subnet-mask, routers, classless, microsoft, host-name, fqdn;\ninitial-interval 1;\nretry 1;\n",
				},
				start: func(dir string) []string {
					return []string{"dhclient", "-4", "-d", "-cf", dir + "/conf", "-lf", dir + "/leases", "-pf", dir + "/pid", "-sf", dir + "/hook", "eth0"}
				},
			},
			map[string]string{
				"new_classless": "16 10 1 10 0 0 10 0 10 0 0 1", "new_microsoft": "16 10 1 10 0 0 10 0 10 0 0 1", "new_routers": "10.0.0.1",
				"new_host_name": "dhclient", "new_fqdn_fqdn": "dhclient.lab.example.org", "new_fqdn_encoded": "true", "new_fqdn_server_update": "true",
			},
			ReasonAckSelecting,
		},
		{
			realClient{
				name:  "dhcpcd",
				files: map[string]string{"conf": "option subnet_mask, routers, classless_static_routes, host_name\noption rapid_commit\nenv DHCPCD=1\nhostname DHcpcd\nfqdn both\nnoipv4ll\n"},
				start: func(dir string) []string {
					return []string{"dhcpcd", "-B", "-4", "-A", "-f", dir + "/conf", "-c", dir + "/hook", "eth0"}
				},
			},
			map[string]string{
				"new_classless_static_routes": "10.1.0.0/16 10.0.0.10 0.0.0.0/0 10.0.0.1", "new_host_name": "dhcpcd",
				"new_fqdn": "dhcpcd.lab.example.org", "new_fqdn_flags": "ES",
			},
			ReasonAckRapid,
		},
	} {
		t.Run(tc.client.name, func(t *testing.T) {
			guest := nettest.NewHost(t, tc.client.name)
			plug(t, l.router, "br0", fmt.Sprintf("tap%d", i+1), guest, "eth0")
			mac := fmt.Sprintf("52:54:00:00:02:%02x", i)
			guest.Run(t, "ip", "link", "set", "eth0", "address", mac)
			dir := t.TempDir()
			for name, text := range tc.client.files {
				write(t, filepath.Join(dir, name), text, 0o644)
			}
			write(t, filepath.Join(dir, "hook"), hook, 0o755)
			_, output := guest.Start(t, tc.client.start(dir)...)
			var told map[string]string
			defer func() {
				if t.Failed() {
					t.Logf("told: %v\nthe client says:\n%s\nthe server says:\n%s", told, output(), l.log)
				}
			}()
			nettest.Eventually(t, 30*time.Second, func() (err error) {
				told, err = readHook(dir, "bound", "BOUND", "REBOOT")
				return err
			})
			for k, v := range tc.want {
				if told[k] != v {
					t.Errorf("%s is %q, want %q", k, told[k], v)
				}
			}
			nettest.Eventually(t, patience, func() error { return logged(l, mac, "address leased") })
			for line := range strings.Lines(l.log.String()) {
				if strings.Contains(line, `msg="address leased"`) && strings.Contains(line, "client="+mac) && !strings.Contains(line, "reason="+string(tc.reason)) {
					t.Errorf("want %s: %s", tc.reason, line)
				}
			}
			if got := leaseOf(t, l, mac).Name; got != tc.client.name {
				t.Errorf("its name is %q", got)
			}
		})
	}
}
