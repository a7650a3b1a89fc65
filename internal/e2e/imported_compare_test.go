package e2e

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
)

// TestImportedServesTheSame starts the real dnsmasq with each configuration, lets clients ask it for addresses and names, and then labnet with what it has
// imported: what differs must be on the list that docs/dnsmasq.md has.
func TestImportedServesTheSame(t *testing.T) {
	nettest.NeedRoot(t)
	rules := importRules()
	used := make([]int, len(rules))
	compared := 0
	for _, c := range importCasesOf(t) {
		t.Run(c.name, func(t *testing.T) {
			c.install(t)
			var before, after map[string][]string
			var hcl string
			t.Run("dnsmasq", func(t *testing.T) {
				l := newImportLab(t, c)
				l.startDnsmasq(t)
				before = l.toldClients(t)
				maps.Copy(before, l.toldNames(t))
			})
			t.Run("labnet", func(t *testing.T) {
				l := newImportLab(t, c)
				l.startImported(t)
				hcl = read(t, l.config)
				after = l.toldClients(t)
				maps.Copy(after, l.toldNames(t))
			})
			if t.Failed() {
				return
			}
			for _, key := range slices.Sorted(maps.Keys(before)) {
				compared += len(before[key])
				d := differ(t, c, hcl, key, before[key], after[key])
				for i, rule := range rules {
					if len(d.minus)+len(d.plus) > 0 && rule.explains(d) {
						used[i]++
					}
				}
				if len(d.minus)+len(d.plus) > 0 {
					t.Errorf("%s:\n  dnsmasq %s\n  labnet  %s", key, strings.Join(d.minus, "\n          "), strings.Join(d.plus, "\n          "))
				}
			}
		})
	}
	t.Logf("%d facts compared; explained: %v", compared, used)
	if t.Failed() {
		return
	}
	for i, rule := range rules {
		if used[i] == 0 {
			t.Errorf("nothing differs by %q any more: take it off the list, and out of docs/dnsmasq.md", rule.what)
		}
	}
}

// TestDifferencesAreDocumented holds the rules to the table of docs/dnsmasq.md.
func TestDifferencesAreDocumented(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "../../docs/dnsmasq.md"), "| what | dnsmasq | labnet |\n| --- | --- | --- |\n")
	table, _, _ := strings.Cut(section, "\n\n")
	var documented, ruled []string
	for line := range strings.Lines(table) {
		documented = append(documented, strings.TrimSpace(strings.Split(line, "|")[1]))
	}
	for _, rule := range importRules() {
		ruled = append(ruled, rule.what)
	}
	if diff := cmp.Diff(ruled, documented); diff != "" {
		t.Errorf("the rules and the document differ (-rules +document):\n%s", diff)
	}
}

// importDifference is what dnsmasq alone says (minus) and what labnet alone says (plus) to one question.
type importDifference struct {
	c           importCase
	text        string   // of the configuration
	domains     []string // that labnet answers for
	servers     []string
	key, server string
	minus, plus []string
}

func differ(t *testing.T, c importCase, hcl, key string, before, after []string) *importDifference {
	t.Helper()
	link := key[strings.LastIndex(key, " ")+1:]
	d := &importDifference{c: c, text: importText(t, c), key: key, server: c.server(link)}
	for _, one := range regexp.MustCompile(`(?m)^ +domain += "([^"]+)"`).FindAllStringSubmatch(hcl, -1) {
		d.domains = append(d.domains, one[1])
	}
	for _, link := range c.linkNames() {
		d.servers = append(d.servers, c.server(link))
	}
	before, after = d.pooled(before), d.pooled(after)
	for _, one := range before {
		if !slices.Contains(after, one) {
			d.minus = append(d.minus, one)
		}
	}
	for _, one := range after {
		if !slices.Contains(before, one) {
			d.plus = append(d.plus, one)
		}
	}
	return d
}

// take removes the lines that a rule explains, and says whether there were any.
func (d *importDifference) take(minus, plus func(line string) bool) bool {
	n := len(d.minus) + len(d.plus)
	if minus != nil {
		d.minus = slices.DeleteFunc(d.minus, minus)
	}
	if plus != nil {
		d.plus = slices.DeleteFunc(d.plus, plus)
	}
	return len(d.minus)+len(d.plus) < n
}
