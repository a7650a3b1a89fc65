package dnsserver

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// TestQueryLogInAFile writes the questions of one network to a file, then to another, then to the log.
func TestQueryLogInAFile(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	var log bytes.Buffer
	cfg := labs(freePort(t))
	cfg.Networks[0].LogQueries, cfg.Networks[0].QueryFile = true, QueryFile{Path: first, Size: 1 << 20, Keep: 1}
	s := startLogging(t, cfg, testLeases(), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	lines := func(path string, want ...string) {
		t.Helper()
		nettest.Eventually(t, 10*time.Second, func() error {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			var got []string
			for line := range strings.Lines(string(text)) {
				stamp, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
				if !strings.HasPrefix(stamp, "time=") {
					t.Errorf("no time in %q", line)
				}
				got = append(got, rest)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				return errors.New(diff)
			}
			return nil
		})
	}
	ask(t, "udp", s.at, "a\nb.invalid.", dns.TypeA)
	ask(t, "tcp", s.at, "builder.lab.internal.", dns.TypeA)
	ask(t, "udp", s.dev, "db.dev.internal.", dns.TypeA)
	want := []string{
		`network=lab client=127.0.0.1 name=a\010b.invalid. type=A reason=special_name rcode=NXDOMAIN`,
		`network=lab client=127.0.0.1 name=builder.lab.internal. type=A reason=local_host rcode=NOERROR`,
	}
	lines(first, want...)
	moved := cfg
	moved.Networks = append([]Network(nil), cfg.Networks...)
	moved.Networks[0].QueryFile.Path = second
	if err := s.Reconfigure(moved); err != nil {
		t.Fatal(err)
	}
	ask(t, "udp", s.at, "builder.lab.internal.", dns.TypeA)
	lines(second, want[1])
	lines(first, want...)
	moved.Networks[0].QueryFile = QueryFile{}
	if err := s.Reconfigure(moved); err != nil {
		t.Fatal(err)
	}
	ask(t, "udp", s.at, "builder.lab.internal.", dns.TypeA)
	lines(second, want[1])
	if log.Len() > 0 {
		t.Error(log.String())
	}
}
