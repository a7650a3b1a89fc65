package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// dnsperfRun is what dnsperf found.
type dnsperfRun struct {
	rate float64       // answers a second
	cpu  time.Duration // of the server
	sent int
	lost int
	ok   int // answers that were NOERROR
}

var (
	dnsperfRate = regexp.MustCompile(`Queries per second:\s+([\d.]+)`)
	dnsperfSent = regexp.MustCompile(`Queries sent:\s+(\d+)`)
	dnsperfLost = regexp.MustCompile(`Queries lost:\s+(\d+)`)
	dnsperfOK   = regexp.MustCompile(`NOERROR (\d+)`)
)

// runDnsperf lets dnsperf ask every server for the cached names, in the order in which our own clients draw them.
func (b *bench) runDnsperf(ctx context.Context, started []*server) error {
	file := filepath.Join(b.work.dir, "dnsperf")
	var text strings.Builder
	for _, i := range b.draws[:100000] {
		fmt.Fprintf(&text, "%s A\n", outsideName(int(i)))
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return err
	}
	for _, s := range started {
		if s.process == nil {
			continue
		}
		before, err := s.cpu()
		if err != nil {
			return err
		}
		out, err := exec.CommandContext(ctx, "dnsperf", "-s", s.at().Addr().String(), "-d", file, "-c", strconv.Itoa(clients), "-T", "1",
			"-q", strconv.Itoa(clients*b.opts.window), "-e", "-t", "1", "-l", strconv.Itoa(max(1, int(b.opts.limit.Seconds())))).CombinedOutput()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("dnsperf: %w: %s", err, out)
		}
		after, err := s.cpu()
		if err != nil {
			return err
		}
		b.dnsperf[s.subject.name] = append(b.dnsperf[s.subject.name], dnsperfRun{
			rate: find(dnsperfRate, out), cpu: after - before,
			sent: int(find(dnsperfSent, out)), lost: int(find(dnsperfLost, out)), ok: int(find(dnsperfOK, out)),
		})
	}
	return nil
}

// find is the number that an expression finds, or 0.
func find(what *regexp.Regexp, out []byte) float64 {
	match := what.FindSubmatch(out)
	if match == nil {
		return 0
	}
	v, _ := strconv.ParseFloat(string(match[1]), 64) // the expression matches numbers only
	return v
}
