package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// scrape is the series of ours that a scrape shows, as they are written, and their values.
type scrape map[string]float64

// fetch asks the metrics port of the router, or the control socket where at is "".
func (l *lab) fetch(t *testing.T, at, path string) (status int, body string, err error) {
	t.Helper()
	var conn net.Conn
	if at == "" {
		conn, err = net.Dial("unix", filepath.Join(l.dir, "run", "labnet.sock"))
	} else {
		l.router.Do(t, func() { conn, err = net.Dial("tcp", at) })
	}
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: labnet\r\nConnection: close\r\n\r\n", path); err != nil {
		return 0, "", err
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, string(text), err
}

// scrape reads the metrics; families are the names that it has at all.
func (l *lab) scrape(t *testing.T, at string) (s scrape, families map[string]bool, err error) {
	t.Helper()
	status, body, err := l.fetch(t, at, "/metrics")
	if err != nil {
		return nil, nil, err
	}
	if status != http.StatusOK {
		return nil, nil, fmt.Errorf("%d: %s", status, body)
	}
	s, families = scrape{}, map[string]bool{}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "# TYPE labnet_"); ok {
			families["labnet_"+strings.Fields(name)[0]] = true
		}
		if !strings.HasPrefix(line, "labnet_") {
			continue
		}
		end := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", line, err)
		}
		s[line[:end]] = value
	}
	return s, families, nil
}

// differs tells whether a metric has another value, or another series, than before.
func (s scrape) differs(before scrape, metric string) bool {
	of := func(series string) bool {
		name, _, _ := strings.Cut(series, "{")
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			if name == metric+suffix {
				return true
			}
		}
		return false
	}
	for series, value := range s {
		if was, there := before[series]; of(series) && (!there || was != value) {
			return true
		}
	}
	for series := range before {
		if _, there := s[series]; of(series) && !there {
			return true
		}
	}
	return false
}

// documented is the metrics that docs/operations.md has.
func documented(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(labnet_[a-z_]+)` \\|").FindAllStringSubmatch(read(t, "../../docs/operations.md"), -1) {
		out = append(out, m[1])
	}
	if len(out) < 20 {
		t.Fatalf("only %d metrics are documented", len(out))
	}
	return out
}

// says waits until a path answers with a status and a text.
func (l *lab) answers(t *testing.T, at, path string, status int, text string) {
	t.Helper()
	nettest.Eventually(t, 2*limit, func() error {
		got, body, err := l.fetch(t, at, path)
		if err != nil || got != status || !strings.Contains(body, text) {
			return fmt.Errorf("%s: %d %q, %v; want %d and %q", path, got, body, err, status, text)
		}
		return nil
	})
}
