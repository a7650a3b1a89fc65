package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// importNames are the names that a configuration has in it, some beside and below them, and the reverse names of its addresses.
func importNames(t *testing.T, c importCase) []string {
	t.Helper()
	text := importText(t, c)
	var out []string
	add := func(name string) {
		if name = dns.Fqdn(strings.ToLower(name)); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, name := range regexp.MustCompile(`\b_?[a-zA-Z][a-zA-Z0-9-]*(\._?[a-zA-Z0-9-]+)*\.[a-z]{2,}\b`).FindAllString(text, -1) {
		if !regexp.MustCompile(`\.(conf|d|list|hcl|pid|leases|efi|kpxe|ipxe|hosts|dat|raw|status)$`).MatchString(name) && len(out) < 60 {
			add(name)
			add("below." + name)
		}
	}
	for _, name := range []string{"www.example.org", "nothing.example.org"} {
		add(name)
	}
	n := 0
	for _, addr := range regexp.MustCompile(`\b(\d+)\.(\d+)\.(\d+)\.(\d+)\b`).FindAllString(text, -1) {
		if reverse, err := dns.ReverseAddr(addr); err == nil && !strings.HasPrefix(addr, "255.") && n < 40 {
			add(reverse)
			n++
		}
	}
	return out
}

// importText is all that a configuration says, without comments.
func importText(t *testing.T, c importCase) string {
	t.Helper()
	text := strings.Join(c.Args, "\n")
	err := filepath.WalkDir(filepath.Join(importCases, c.name), func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !strings.Contains(entry.Name(), "want.") && entry.Name() != "case.json" {
			text += "\n" + read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(text, "")
}

// toldNames asks for each name on each link.
func (l *importLab) toldNames(t *testing.T) map[string][]string {
	t.Helper()
	told := map[string][]string{}
	for _, link := range l.c.linkNames() {
		silent := 0 // questions; none is served then
		for _, name := range importNames(t, l.c) {
			types := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX, dns.TypeSRV, dns.TypeNAPTR, dns.TypeCAA, dns.TypeCNAME, dns.TypeSPF}
			if strings.HasSuffix(name, ".arpa.") {
				types = []uint16{dns.TypePTR}
			}
			for _, kind := range types {
				key := fmt.Sprintf("%s %s on %s", name, dns.TypeToString[kind], link)
				if silent >= 2 {
					told[key] = []string{"no answer"}
					continue
				}
				l.guests[link].Do(t, func() { told[key] = nameFacts(l.c.server(link), name, kind) })
				if told[key][0] == "no answer" {
					silent++
				}
			}
		}
	}
	return told
}

// nameFacts are what an answer says, without times to live.
func nameFacts(server, name string, kind uint16) []string {
	m := new(dns.Msg).SetQuestion(name, kind)
	m.SetEdns0(1232, false)
	client := dns.Client{Timeout: 3 * time.Second}
	reply, _, err := client.Exchange(m, server+":53")
	if err != nil {
		return []string{"no answer"}
	}
	out := []string{"rcode " + dns.RcodeToString[reply.Rcode]}
	for _, rr := range reply.Answer {
		rr.Header().Ttl = 0
		out = append(out, "answer "+strings.ReplaceAll(strings.ToLower(rr.String()), "\t", " "))
	}
	slices.Sort(out)
	return out
}
