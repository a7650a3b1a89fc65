package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// prometheusPeer is a program of the package prometheus, which is unpacked and not installed: that would run it.
func prometheusPeer(t *testing.T, program string) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/peers/prometheus/usr/bin/" + program)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("unpack prometheus first (`make test-deps`): %v", err)
	}
	return path
}

func rules(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../packaging/prometheus/labnet.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAlertsFire has promtool play series to the alerts.
func TestAlertsFire(t *testing.T) {
	nettest.NeedRoot(t)
	file := filepath.Join(t.TempDir(), "rules.test.yml")
	write(t, file, strings.ReplaceAll(read(t, "testdata/rules.test.yml"), "RULES", rules(t)))
	for _, args := range [][]string{{"check", "rules", rules(t)}, {"test", "rules", file}} {
		if out, err := exec.Command(prometheusPeer(t, "promtool"), args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", args[0], err, out)
		}
	}
}

const prometheusConfig = `global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files:
  - %s
scrape_configs:
  - job_name: labnet
    static_configs:
      - targets: ["127.0.0.1:9167"]
`

// TestPrometheusReadsIt lets a real Prometheus scrape labnet, and asks it all that the dashboard asks and what the alerts say.
func TestPrometheusReadsIt(t *testing.T) {
	nettest.NeedRoot(t)
	m := &metered{lab: newLab(t), t: t, at: "127.0.0.1:9167"}
	write(t, m.blockList(0), "ads.example\n")
	program(t, m.dir, "hook", "exit 0\n")
	m.write("109", "64KiB", "9167")
	m.start(t)
	m.guest = m.newAsker(t)
	m.swarm = newSwarm(t, m.guest.Host)
	if _, err := m.swarm.lease(swarmMAC(1), 10); err != nil {
		t.Fatal(err)
	}
	m.guest.dig(t, "www.example.org")

	status, text, err := m.fetch(t, m.at, "/metrics")
	if err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	lint := exec.Command(prometheusPeer(t, "promtool"), "check", "metrics")
	lint.Stdin = strings.NewReader(text)
	if out, err := lint.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}

	config := filepath.Join(m.dir, "prometheus.yml")
	write(t, config, fmt.Sprintf(prometheusConfig, rules(t)))
	m.router.Start(t, prometheusPeer(t, "prometheus"), "--config.file", config, "--storage.tsdb.path", t.TempDir(),
		"--web.listen-address", "127.0.0.1:9090", "--log.level", "error")
	// Some of what is asked is about the rate of something, so it goes on meanwhile.
	nettest.Eventually(t, 4*limit, func() error {
		m.guest.dig(t, "www.example.org")
		found, err := m.query(t, `rate(labnet_dns_responses_total{job="labnet",source="cache"}[30s]) > 0`)
		if err == nil && found == 0 {
			err = fmt.Errorf("nothing yet")
		}
		return err
	})
	reasons := map[string]bool{}
	for _, m := range regexp.MustCompile(`decisions_total\{.*reason="([a-z_]+)"`).FindAllStringSubmatch(text, -1) {
		reasons[m[1]] = true
	}
	asked := 0
	for _, expr := range dashboardExpressions(t) {
		asked++
		found, err := m.query(t, strings.NewReplacer("$instance", ".*", "$network", ".*", "$__rate_interval", "30s").Replace(expr))
		// What is filtered may be nothing, as long as nothing is wrong.
		if err != nil || found == 0 && !strings.Contains(expr, "> 0") {
			t.Errorf("%s: %d series, %v", expr, found, err)
		}
		for _, m := range regexp.MustCompile(`reason=~"([^"]*)"`).FindAllStringSubmatch(expr, -1) {
			for reason := range strings.SplitSeq(m[1], "|") {
				pattern := regexp.MustCompile("^(?:" + reason + ")$")
				used := false
				for r := range reasons {
					used = used || pattern.MatchString(r)
				}
				if !used {
					t.Errorf("there is no reason %s", reason)
				}
			}
		}
	}
	if asked < 30 {
		t.Errorf("the dashboard asks only %d things", asked)
	}
	// Nothing is wrong here, and no rule is in error.
	_, body, err := m.fetch(t, "127.0.0.1:9090", "/api/v1/rules")
	if err != nil || strings.Contains(body, `"health":"err"`) || !strings.Contains(body, "LabnetDown") {
		t.Errorf("the rules: %v\n%s", err, body)
	}
	if found, err := m.query(t, `ALERTS{alertstate="firing"}`); err != nil || found != 0 {
		t.Errorf("%d alerts, %v", found, err)
	}
}

// query asks Prometheus, and returns how many series it finds.
func (m *metered) query(t *testing.T, expr string) (found int, err error) {
	t.Helper()
	status, body, err := m.fetch(t, "127.0.0.1:9090", "/api/v1/query?query="+url.QueryEscape(expr))
	if err != nil {
		return 0, err
	}
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return 0, fmt.Errorf("%d: %s", status, body)
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s", answer.Error)
	}
	return len(answer.Data.Result), nil
}

func dashboardExpressions(t *testing.T) (out []string) {
	t.Helper()
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(read(t, "../../packaging/grafana/labnet.json")), &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			out = append(out, target.Expr)
		}
	}
	return out
}
