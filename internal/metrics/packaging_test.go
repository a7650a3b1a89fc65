package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// expression is one of PromQL, and where it stands.
type expression struct {
	place, text string
	legend      string // of a dashboard: names labels in {{}}
}

// dashboard is what there is to check of packaging/grafana/labnet.json.
type dashboard struct {
	Title  string `json:"title"`
	UID    string `json:"uid"`
	Panels []struct {
		ID      int    `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos struct {
			H, W, X, Y int
		} `json:"gridPos"`
		Targets []struct {
			Expr   string `json:"expr"`
			Legend string `json:"legendFormat"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("../../packaging/grafana/labnet.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *dashboard) expressions() (out []expression) {
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			out = append(out, expression{p.Title, target.Expr, target.Legend})
		}
	}
	for _, v := range d.Templating.List {
		if v.Definition != "" {
			out = append(out, expression{"variable " + v.Name, v.Definition, ""})
		}
	}
	return out
}

// alerts is packaging/prometheus/labnet.rules.yml.
type alerts struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func readAlerts(t *testing.T) alerts {
	t.Helper()
	file, err := os.Open("../../packaging/prometheus/labnet.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	var a alerts
	if err := decoder.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	if d.Title != "labnet" || d.UID == "" || len(d.Panels) < 20 {
		t.Errorf("%q %q, %d panels", d.Title, d.UID, len(d.Panels))
	}
	seen := map[int]bool{}
	covered := map[[2]int]string{}
	for _, p := range d.Panels {
		if p.ID == 0 || seen[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q: no id of its own, no title, or shows nothing", p.ID, p.Title)
		}
		seen[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := covered[[2]int{x, y}]; taken || x >= 24 {
					t.Fatalf("panel %q lies over %q, or beyond the edge", p.Title, other)
				}
				covered[[2]int{x, y}] = p.Title
			}
		}
	}
	shown := checkExpressions(t, d.expressions())
	for _, m := range table() {
		if !shown[m.name] {
			t.Errorf("the dashboard shows %s nowhere", m.name)
		}
	}
}

func TestAlerts(t *testing.T) {
	var expressions []expression
	names := map[string]bool{}
	for _, g := range readAlerts(t).Groups {
		for _, r := range g.Rules {
			if names[r.Alert] || !strings.HasPrefix(r.Alert, "Labnet") || r.Annotations["summary"] == "" || r.Annotations["description"] == "" ||
				!slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) {
				t.Errorf("%s: twice, or without summary, description or severity", r.Alert)
			}
			names[r.Alert] = true
			expressions = append(expressions, expression{r.Alert, r.Expr, ""})
		}
	}
	if len(names) < 10 {
		t.Errorf("only %d alerts", len(names))
	}
	checkExpressions(t, expressions)
}

// checkExpressions checks that each expression is of metrics that exist, with labels that they have, and returns our metrics that are used.
func checkExpressions(t *testing.T, expressions []expression) (used map[string]bool) {
	t.Helper()
	used = map[string]bool{}
	known := knownLabels(t)
	for _, e := range expressions {
		names, err := check(e, known)
		if err != nil {
			t.Errorf("%s: %v\n%s", e.place, err, e.text)
		}
		for _, name := range names {
			used[name] = true
		}
	}
	return used
}

// knownLabels is every metric that a scrape has, those of Go and the process too, with its labels. A histogram has its parts.
func knownLabels(t *testing.T) map[string][]string {
	t.Helper()
	known := map[string][]string{"up": nil}
	families, err := testRegistry(t, everything).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		var labels []string
		for _, pair := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		known[f.GetName()] = labels
	}
	for _, m := range table() {
		if m.kind == kindHistogram {
			delete(known, m.name) // only its parts can be asked for
			for _, part := range []string{"_sum", "_count"} {
				known[m.name+part] = m.labels
			}
			known[m.name+"_bucket"] = append([]string{"le"}, m.labels...)
		}
	}
	return known
}

var (
	selector = regexp.MustCompile(`\b([a-z_]+)(\{[^}]*\}|\b)`)
	matcher  = regexp.MustCompile(`([a-z_]+) *(?:=~|!~|!=|=)`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring) *\(([^)]*)\)`)
	window   = regexp.MustCompile(`\[[^\]]*\]`)
	text     = regexp.MustCompile(`"[^"]*"`)
	braces   = regexp.MustCompile(`\{\{([a-z_]+)\}\}`)
)

// words is what of PromQL looks like a metric.
var words = strings.Fields("sum max min avg count by rate increase changes histogram_quantile time and or unless on without ignoring label_values instance network")

// check finds the metrics of an expression, ours without their histogram's suffix.
func check(e expression, known map[string][]string) (ours []string, err error) {
	allowed := []string{"instance", "job"} // which Prometheus adds
	plain := window.ReplaceAllString(text.ReplaceAllString(e.text, `""`), "")
	groups := grouping.FindAllStringSubmatch(plain, -1)
	plain = grouping.ReplaceAllString(plain, "")
	for _, m := range selector.FindAllStringSubmatch(plain, -1) {
		name, inside := m[1], m[2]
		labels, exists := known[name]
		switch {
		case exists:
		case slices.Contains(words, name) && !strings.HasPrefix(inside, "{"):
			continue
		case strings.HasPrefix(inside, "{") || strings.Contains(name, "_"):
			return ours, fmt.Errorf("there is no metric %s", name)
		default:
			continue // a label inside of braces, or a unit of a duration
		}
		allowed = append(allowed, labels...)
		for _, l := range matcher.FindAllStringSubmatch(inside, -1) {
			if l[1] != "instance" && l[1] != "job" && !slices.Contains(labels, l[1]) {
				return ours, fmt.Errorf("%s has no label %s", name, l[1])
			}
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		ours = append(ours, name)
	}
	if len(ours) == 0 {
		return nil, fmt.Errorf("no metric")
	}
	var wanted []string
	for _, g := range groups {
		for label := range strings.SplitSeq(g[1], ",") {
			wanted = append(wanted, strings.TrimSpace(label))
		}
	}
	for _, b := range braces.FindAllStringSubmatch(e.legend, -1) {
		wanted = append(wanted, b[1])
	}
	for _, label := range wanted {
		if !slices.Contains(allowed, label) {
			return ours, fmt.Errorf("no metric here has the label %s", label)
		}
	}
	return ours, nil
}

// TestTheCheckFindsMistakes holds the check itself.
func TestTheCheckFindsMistakes(t *testing.T) {
	known := knownLabels(t)
	for text, want := range map[string]string{
		`labnet_dhcp_leases{state="bound"}`:                                      "",
		`sum by (state) (labnet_dhcp_leases)`:                                    "",
		`rate(labnet_dns_requests_total{network=~"$network"}[$__rate_interval])`: "",
		`labnet_dhcp_leased`:                                                     "no metric labnet_dhcp_leased",
		`rate(labnet_dns_upstream_seconds[5m])`:                                  "no metric labnet_dns_upstream_seconds",
		`labnet_dhcp_leases{status="bound"}`:                                     "no label status",
		`sum by (reason) (labnet_dhcp_leases)`:                                   "label reason",
		`time() > 5`:                                                             "no metric",
		`sum by (le) (rate(labnet_dhcp_commit_seconds_sum[5m]))`:                 "label le",
	} {
		_, err := check(expression{text: text}, known)
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := check(expression{text: `labnet_dhcp_leases`, legend: "{{upstream}}"}, known); err == nil {
		t.Error("a legend without its label is fine")
	}
}
