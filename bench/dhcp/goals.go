package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"labnet/bench/dhcp/generator"
	"labnet/bench/report"
)

// What labnet has to reach beside Kea.
const (
	timesKea     = 2.0 // Kea's exchanges a second at the same window …
	shareOfDisk  = 0.8 // … or so much of what one commit after the other would let through, where that is less
	timesBestKea = 1.5 // the best of all windows
	shareOfCPU   = 0.6 // of Kea's CPU time an exchange
	flatness     = 0.1 // how much slower it may be with 60,000 leases than with ten
	maxDrops     = 0.001
)

// goal is one comparison.
type goal struct {
	what, labnet, kea, wanted string
	reached                   bool
}

// reportGoals compares labnet with Kea, if both were measured: new leases by a relay.
func (b *bench) reportGoals(out *strings.Builder) {
	goals := b.throughputGoals()
	goals = append(goals, b.flatGoals()...)
	goals = append(goals, b.perfdhcpGoals()...)
	if len(goals) == 0 {
		return
	}
	var rows [][]string
	for _, g := range goals {
		rows = append(rows, []string{g.what, g.labnet, g.kea, g.wanted, report.Yes(g.reached)})
	}
	fmt.Fprint(out, "\n### labnet beside Kea\n\nNew leases by a relay; Kea is the better one of its two configurations.\n\n")
	report.Table(out, []string{"", "labnet", "Kea", "wanted", "reached"}, rows)
}

// best are a server's medians at a window; ok is false if it wasn't measured.
func (b *bench) best(servers []string, workload string, window int) (rate, cpu float64, ok bool) {
	cpu = math.Inf(1)
	for _, server := range servers {
		if samples := b.samples[key{server, generator.Relay, workload, window}]; len(samples) > 0 {
			rate, cpu, ok = max(rate, report.Median(samples, sample.rate)), min(cpu, report.Median(samples, sample.cpuEach)), true
		}
	}
	return rate, cpu, ok
}

// throughputGoals are about exchanges a second and CPU time at each window, and best against best.
func (b *bench) throughputGoals() []goal {
	ours, theirs := []string{"labnet"}, []string{"kea", "kea-mt"}
	var goals []goal
	var bestOurs, bestTheirs float64
	for _, window := range b.opts.windows {
		rate, cpu, ok := b.best(ours, string(generator.New), window)
		keaRate, keaCPU, keaOK := b.best(theirs, string(generator.New), window)
		if !ok || !keaOK {
			continue
		}
		bestOurs, bestTheirs = max(bestOurs, rate), max(bestTheirs, keaRate)
		at := " at window " + strconv.Itoa(window)
		if window >= 32 {
			wanted := min(timesKea*keaRate, shareOfDisk*float64(window)/generator.Quantile(b.syncs, 0.5).Seconds())
			goals = append(goals, goal{"exchanges/s" + at, report.Thousands(rate), report.Thousands(keaRate), "at least " + report.Thousands(wanted), rate >= wanted})
		}
		goals = append(goals, goal{
			"CPU µs an exchange" + at, fmt.Sprintf("%.1f", cpu), fmt.Sprintf("%.1f", keaCPU),
			fmt.Sprintf("at most %.1f", shareOfCPU*keaCPU), cpu <= shareOfCPU*keaCPU,
		})
	}
	if bestTheirs > 0 {
		goals = append(goals, goal{
			"exchanges/s, best against best", report.Thousands(bestOurs), report.Thousands(bestTheirs),
			"at least " + report.Thousands(timesBestKea*bestTheirs), bestOurs >= timesBestKea*bestTheirs,
		})
	}
	return goals
}

// flatGoals are about many leases and a fixed rate.
func (b *bench) flatGoals() []goal {
	ours, theirs := []string{"labnet"}, []string{"kea", "kea-mt"}
	var goals []goal
	for _, pair := range []struct {
		what, few, many string
		window          int
	}{{"renewals/s, 10 and 60,000 leases held", renewFew, renewMany, renewWindow}, {"new leases/s, the first 5,000 and the last of 60,000", newFirst, newLast, 32}} {
		few, _, ok := b.best(ours, pair.few, pair.window)
		many, _, ok2 := b.best(ours, pair.many, pair.window)
		if !ok || !ok2 {
			continue
		}
		kea := "not measured"
		keaFew, _, ok := b.best(theirs, pair.few, pair.window)
		if keaMany, _, ok2 := b.best(theirs, pair.many, pair.window); ok && ok2 {
			kea = report.Thousands(keaFew) + ", " + report.Thousands(keaMany)
		}
		goals = append(goals, goal{
			pair.what, report.Thousands(few) + ", " + report.Thousands(many), kea,
			fmt.Sprintf("at most %.0f %% slower", flatness*100), many >= (1-flatness)*few,
		})
	}
	if samples := b.samples[key{"labnet", generator.Relay, pacedLoad, 4096}]; len(samples) > 0 {
		ack := func(s sample) time.Duration { return s.Ack(0.99) }
		kea := "not measured"
		if s := b.samples[key{"kea", generator.Relay, pacedLoad, 4096}]; len(s) > 0 {
			kea = report.Milliseconds(report.Median(s, ack))
		}
		got, wanted := report.Median(samples, ack), 2*generator.Quantile(b.syncs, 0.99)+time.Millisecond
		goals = append(goals, goal{
			"p99 of an ACK in ms, at 5,000 exchanges/s", report.Milliseconds(got), kea,
			"at most " + report.Milliseconds(wanted) + ", two syncs and 1 ms", got <= wanted,
		})
	}
	return goals
}

// perfdhcpGoals are about what perfdhcp gets no answer to.
func (b *bench) perfdhcpGoals() []goal {
	rate := perfdhcpRates[len(perfdhcpRates)-1]
	sent, drops, unique, ok := b.perfdhcpTotal("labnet", rate)
	if !ok {
		return nil
	}
	kea := "not measured"
	if sent, drops, _, ok := b.perfdhcpTotal("kea", rate); ok {
		kea = report.Percent(drops, sent)
	}
	return []goal{{
		"perfdhcp at " + report.Thousands(float64(rate)) + "/s: without an answer", report.Percent(drops, sent), kea,
		"under 0.1 %, and no address twice", float64(drops) < maxDrops*float64(sent) && unique,
	}}
}
