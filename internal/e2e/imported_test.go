package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

const importCases = "../migrate/dnsmasqconf/testdata"

// importCase is a configuration of dnsmasq, and what its host has.
type importCase struct {
	name  string
	Files []string          `json:"files"`
	Args  []string          `json:"args"`
	Links map[string]string `json:"links"` // the interfaces with their addresses
	Lossy bool              `json:"lossy"`
}

func importCasesOf(t *testing.T) []importCase {
	t.Helper()
	paths, err := filepath.Glob(importCases + "/*/case.json")
	if err != nil || len(paths) < 12 {
		t.Fatalf("%d configurations: %v", len(paths), err)
	}
	var out []importCase
	for _, path := range paths {
		c := importCase{name: filepath.Base(filepath.Dir(path))}
		if err := json.Unmarshal([]byte(read(t, path)), &c); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, c)
	}
	return out
}

// install puts the configuration's files where it looks for them. The tests' /etc and /var forget it.
func (c importCase) install(t *testing.T) {
	t.Helper()
	for _, top := range []string{"etc", "var"} {
		from := filepath.Join(importCases, c.name, top)
		if _, err := os.Stat(from); err != nil {
			continue
		}
		err := filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rest, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			to := filepath.Join("/", top, rest)
			if entry.IsDir() {
				return os.MkdirAll(to, 0o755)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = os.Remove(to) })
			return os.WriteFile(to, text, info.Mode())
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Remove("/var/lib/misc/dnsmasq.leases")
	for _, dir := range []string{"/run/libvirt/network", "/var/lib/misc", "/var/lib/NetworkManager", "/var/log/pihole", "/etc/NetworkManager/dnsmasq-shared.d"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// linkNames are the interfaces in their order.
func (c importCase) linkNames() []string { return slices.Sorted(maps.Keys(c.Links)) }

// server is the address of an interface.
func (c importCase) server(link string) string {
	a, _, _ := strings.Cut(c.Links[link], "/")
	return a
}

// importLab is a router with machines behind each of its links, and upstreams on its LAN that say which of them was asked.
type importLab struct {
	*lab
	c      importCase
	guests map[string]*nettest.Host // by link
	swarms map[string]*swarm
}

// upstreamsOf are all servers that the configurations name; the group says what an answer of theirs looks like.
func upstreamsOf() map[string]string {
	return map[string]string{
		lanAddr + ":53": "93.184.216.1", "192.0.2.53:53": "93.184.216.1", "198.51.100.53:5353": "93.184.216.1",
		"10.0.0.53:53": "93.184.216.2", "10.0.0.54:53": "93.184.216.2", "10.0.0.55:5353": "93.184.216.3",
		"10.99.0.53:53": "93.184.216.4", "172.31.0.2:8600": "93.184.216.5", "10.96.0.10:53": "93.184.216.6",
	}
}

// answering answers every question for an address with one, and has no other records.
func answering(address string) func(q *dns.Msg, tcp bool) *dns.Msg {
	return func(q *dns.Msg, _ bool) *dns.Msg {
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		if q.Question[0].Qtype == dns.TypeA && !strings.HasPrefix(strings.ToLower(q.Question[0].Name), "nothing.") {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.ParseIP(address)}}
		}
		if q.Question[0].Qtype == dns.TypePTR {
			m.Answer = []dns.RR{&dns.PTR{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: 300}, Ptr: "asked-" + address + ".example."}}
		}
		return m
	}
}

func newImportLab(t *testing.T, c importCase) *importLab {
	t.Helper()
	l := &importLab{lab: newLabWithoutDNS(t), c: c, guests: map[string]*nettest.Host{}, swarms: map[string]*swarm{}}
	for at, address := range upstreamsOf() {
		host, _, _ := net.SplitHostPort(at)
		if host != lanAddr {
			l.lan.Run(t, "ip", "address", "replace", host+"/32", "dev", "eth0")
			l.router.Run(t, "ip", "route", "replace", host+"/32", "via", lanAddr)
		}
		startScripted(t, l.lan, at, answering(address))
	}
	startScripted(t, l.router, "127.0.0.1:5335", answering("93.184.216.9"))
	return l
}

// isCard tells whether a link is a network card: dnsmasq serves it, and labnet makes it a port.
func isCard(link string) bool { return strings.HasPrefix(link, "enp") }

// port is what the router calls its end of a machine's cable.
func (l *importLab) port(i int, link string) string {
	if isCard(link) {
		return link
	}
	return fmt.Sprintf("vm%d", i)
}

// plug connects a machine to each link.
func (l *importLab) plug(t *testing.T) {
	t.Helper()
	for i, link := range l.c.linkNames() {
		g := nettest.NewHost(t, "guest")
		nettest.Link(t, g, "eth0", l.router, l.port(i, link))
		l.guests[link] = g
	}
}

// listen opens the machines' clients.
func (l *importLab) listen(t *testing.T) {
	t.Helper()
	for _, link := range l.c.linkNames() {
		l.swarms[link] = newSwarm(t, l.guests[link])
		// A second machine's address, to ask names from.
		_, subnet, err := net.ParseCIDR(l.c.Links[link])
		if err != nil {
			t.Fatal(err)
		}
		asker := subnet.IP.To4()
		asker[3] += 3
		l.guests[link].Run(t, "ip", "address", "add", fmt.Sprintf("%s/%d", asker, ones(subnet)), "dev", "eth0")
	}
}

func ones(n *net.IPNet) int { bits, _ := n.Mask.Size(); return bits }

// startDnsmasq starts the real one with its configuration as it stands.
func (l *importLab) startDnsmasq(t *testing.T) {
	t.Helper()
	l.plug(t)
	for i, link := range l.c.linkNames() {
		if !isCard(link) {
			l.router.Run(t, "ip", "link", "add", link, "type", "bridge")
			l.router.Run(t, "ip", "link", "set", l.port(i, link), "master", link)
		}
		l.router.Run(t, "ip", "address", "add", l.c.Links[link], "dev", link)
		l.router.Run(t, "ip", "link", "set", link, "up")
	}
	args := []string{"dnsmasq"}
	for _, file := range l.c.Files {
		args = append(args, "--conf-file="+file)
	}
	args = append(args, l.c.Args...)
	if !slices.Contains(args, "-k") && !slices.Contains(args, "--keep-in-foreground") {
		args = append(args, "-k")
	}
	if !slices.Contains(args, "-u") {
		args = append(args, "--user=root")
	}
	args = append(args, "--no-ping")
	_, output := l.router.Start(t, args...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("dnsmasq says:\n%s", tail(output(), 40))
		}
	})
	l.listen(t)
	for _, link := range l.c.linkNames() {
		nettest.Eventually(t, limit, func() error {
			if out := l.router.Run(t, "ss", "-Hlun"); !strings.Contains(out, ":67 ") {
				return fmt.Errorf("dnsmasq doesn't serve %s:\n%s\n%s", link, out, output())
			}
			return nil
		})
	}
}

// startImported starts labnet with what it makes of the configuration.
func (l *importLab) startImported(t *testing.T) {
	t.Helper()
	l.plug(t)
	l.config = filepath.Join(l.dir, "labnet.hcl")
	args := []string{"import", "dnsmasq", "--root", "/", "-o", l.config}
	if l.c.Lossy {
		args = append(args, "--allow-lossy")
	}
	for _, link := range l.c.linkNames() {
		args = append(args, "--address", link+"="+l.c.Links[link])
	}
	args = append(args, l.c.Files...)
	args = append(append(args, "--"), l.c.Args...)
	l.labnet(t, args...)
	l.labnet(t, "check")
	l.start(t)
	for i, link := range l.c.linkNames() {
		if !isCard(link) {
			bridge := regexp.MustCompile(`(?s)address = "` + l.c.Links[link] + `".*?name += "([^"]+)"`).FindStringSubmatch(read(t, l.config))
			if bridge == nil {
				t.Fatalf("no network has the address of %s:\n%s", link, read(t, l.config))
			}
			l.router.Run(t, "ip", "link", "set", l.port(i, link), "master", bridge[1])
		}
	}
	l.listen(t)
}
