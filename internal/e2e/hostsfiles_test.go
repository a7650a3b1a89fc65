package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// TestHostsFiles asks a guest's resolver for names of hosts files, which then change, go and come back.
func TestHostsFiles(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	hosts, more := filepath.Join(l.dir, "hosts"), filepath.Join(l.dir, "more")
	write(t, hosts, "127.0.0.1 localhost\n10.0.0.60\tprinter printer.example.com # in the hall\n2001:db8::60 printer\nnonsense here\n")
	config := func(files string) string {
		return strings.Replace(labConfig, "network \"lab\" {", "network \"lab\" {\n  dns {\n    hosts_files = ["+files+"]\n  }", 1)
	}
	l.configure(t, config(fmt.Sprintf("%q", hosts)))
	d, _ := l.start(t)
	g := l.newAsker(t)
	expect := func(want string, question ...string) {
		t.Helper()
		nettest.Eventually(t, limit, func() error {
			if got := strings.Join(strings.Fields(g.dig(t, append([]string{"+short"}, question...)...)), " "); got != want {
				return fmt.Errorf("%v: %q, want %q", question, got, want)
			}
			return nil
		})
	}
	expect("10.0.0.60", "printer.lab.internal")
	expect("10.0.0.60", "printer.example.com")
	expect("2001:db8::60", "printer", "AAAA")
	expect("printer.lab.internal.", "-x", "10.0.0.60")
	expect("printer.lab.internal.", "-x", "2001:db8::60")
	expect("192.0.2.80", "www.example.org")
	if n := strings.Count(d.output(), "some lines of a hosts file can't be understood"); n != 1 {
		t.Errorf("the broken line is told %d times", n)
	}
	if out := l.labnet(t, "explain", "dns", "printer"); !strings.Contains(out, hosts+":2") {
		t.Errorf("no line in the explanation:\n%s", out)
	}

	replace(t, hosts, "10.0.0.61 printer\n")
	expect("10.0.0.61", "printer.lab.internal")
	if err := os.Remove(hosts); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, limit, func() error {
		var s struct {
			State string
			Files []struct {
				Names int
				Error string
			} `json:"hosts_files"`
		}
		if err := json.Unmarshal([]byte(l.labnet(t, "status", "-o", "json")), &s); err != nil {
			return err
		}
		if s.State != "degraded" || len(s.Files) != 1 || s.Files[0].Error == "" || s.Files[0].Names != 1 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	expect("10.0.0.61", "printer.lab.internal")
	write(t, more, "10.0.0.62 scanner\n")
	l.configure(t, config(fmt.Sprintf("%q, %q", more, hosts)))
	l.reload(t, d, "the configuration is reloaded")
	expect("10.0.0.62", "scanner.lab.internal")
	expect("10.0.0.61", "printer.lab.internal")
	l.configure(t, config(fmt.Sprintf("%q", more)))
	l.reload(t, d, "the configuration is reloaded")
	expect("", "printer.lab.internal")
}
