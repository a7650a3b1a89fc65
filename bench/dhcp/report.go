package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"labnet/bench/dhcp/generator"
	"labnet/bench/report"
)

// report is everything as Markdown.
func (b *bench) report() string {
	var out strings.Builder
	b.reportConditions(&out)
	b.reportGoals(&out)
	for _, mode := range b.opts.modes {
		fmt.Fprintf(&out, "\n### %s\n\n", modeTitles[mode])
		for _, w := range []generator.Workload{generator.New, generator.Renew, generator.Reboot} {
			b.reportTable(&out, mode, workloadTitles[w], func(window int) key { return key{"", mode, string(w), window} }, b.opts.windows)
		}
	}
	if b.opts.extras {
		fmt.Fprint(&out, "\n### Few and many leases, and a fixed rate\n\nAs a relay.\n\n")
		for _, extra := range extraLoads {
			b.reportTable(&out, generator.Relay, extra.workload, func(window int) key { return key{"", generator.Relay, extra.workload, window} }, []int{extra.window})
		}
	}
	b.reportPerfdhcp(&out)
	return out.String()
}

var modeTitles = map[generator.Mode]string{
	generator.Relay:     "As a relay: UDP with giaddr",
	generator.Broadcast: "On the link, broadcast answers: frames",
	generator.Unicast:   "On the link, answers to the client's hardware address: frames",
}

var workloadTitles = map[generator.Workload]string{
	generator.New:    "New leases, DISCOVER to ACK",
	generator.Renew:  "Renewals",
	generator.Reboot: "Returning clients, INIT-REBOOT",
}

var extraLoads = []struct {
	workload string
	window   int
}{{renewFew, renewWindow}, {renewMany, renewWindow}, {newFirst, 32}, {newLast, 32}, {pacedLoad, 4096}}

// reportTable writes a table of a workload: the windows one below the other, and the servers in each.
func (b *bench) reportTable(out *strings.Builder, mode generator.Mode, title string, at func(window int) key, windows []int) {
	var rows [][]string
	for _, window := range windows {
		for _, s := range b.tested {
			k := at(window)
			k.server = s.name
			if samples := b.samples[k]; len(samples) > 0 {
				rows = append(rows, append([]string{strconv.Itoa(window), s.title}, columns(samples)...))
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(out, "%s:\n\n", title)
	report.Table(out, []string{"window", "server", "exchanges/s", "lowest to highest", "CPU µs an exchange", "p50 ms", "p99 ms", "p99 of ACK ms", "MiB", "repeated", "lost", "NAK"}, rows)
}

// columns are the results of one measurement's samples: medians, and sums of what went wrong.
func columns(samples []sample) []string {
	rates := make([]float64, len(samples))
	var repeated, lost, naks int
	for i, s := range samples {
		rates[i] = s.Rate()
		repeated, lost, naks = repeated+s.Repeated, lost+s.Lost, naks+s.NAKs
	}
	slices.Sort(rates)
	return []string{
		report.Thousands(report.Median(samples, sample.rate)), report.Thousands(rates[0]) + " to " + report.Thousands(rates[len(rates)-1]),
		fmt.Sprintf("%.1f", report.Median(samples, sample.cpuEach)),
		report.Milliseconds(report.Median(samples, func(s sample) time.Duration { return s.Whole(0.5) })),
		report.Milliseconds(report.Median(samples, func(s sample) time.Duration { return s.Whole(0.99) })),
		report.Milliseconds(report.Median(samples, func(s sample) time.Duration { return s.Ack(0.99) })),
		strconv.FormatInt(report.Median(samples, func(s sample) int64 { return s.memory >> 20 }), 10),
		strconv.Itoa(repeated), strconv.Itoa(lost), strconv.Itoa(naks),
	}
}

func (s sample) rate() float64 { return s.Rate() }

// cpuEach is the server's CPU time for one exchange in microseconds.
func (s sample) cpuEach() float64 {
	return float64(s.cpu) / float64(time.Microsecond) / float64(max(s.Exchanges, 1))
}

// reportPerfdhcp writes what perfdhcp found.
func (b *bench) reportPerfdhcp(out *strings.Builder) {
	var rows [][]string
	for _, rate := range perfdhcpRates {
		for _, s := range b.tested {
			sent, drops, unique, seen := b.perfdhcpTotal(s.name, rate)
			if seen {
				rows = append(rows, []string{report.Thousands(float64(rate)), s.title, strconv.Itoa(sent), strconv.Itoa(drops), report.Percent(drops, sent), report.Yes(unique)})
			}
		}
	}
	if len(rows) > 0 {
		fmt.Fprintf(out, "\n### perfdhcp, the independent check\n\n%d runs of %d s each, new leases by a relay:\n\n", b.opts.runs, perfdhcpTime)
		report.Table(out, []string{"exchanges/s begun", "server", "messages sent", "without an answer", "", "each address once"}, rows)
	}
}

// perfdhcpTotal adds up what perfdhcp found of a server at a rate.
func (b *bench) perfdhcpTotal(server string, rate int) (sent, drops int, unique, seen bool) {
	unique = true
	for _, c := range b.checks {
		if c.server == server && c.rate == rate {
			sent, drops, unique, seen = sent+c.sent, drops+c.drops, unique && c.unique, true
		}
	}
	return sent, drops, unique, seen
}
