package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"labnet/bench/dhcp/generator"
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
	table(out, []string{"window", "server", "exchanges/s", "lowest to highest", "CPU µs an exchange", "p50 ms", "p99 ms", "p99 of ACK ms", "MiB", "repeated", "lost", "NAK"}, rows)
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
		thousands(median(samples, sample.rate)), thousands(rates[0]) + " to " + thousands(rates[len(rates)-1]),
		fmt.Sprintf("%.1f", median(samples, sample.cpuEach)),
		milliseconds(median(samples, func(s sample) time.Duration { return s.Whole(0.5) })),
		milliseconds(median(samples, func(s sample) time.Duration { return s.Whole(0.99) })),
		milliseconds(median(samples, func(s sample) time.Duration { return s.Ack(0.99) })),
		strconv.FormatInt(median(samples, func(s sample) int64 { return s.memory >> 20 }), 10),
		strconv.Itoa(repeated), strconv.Itoa(lost), strconv.Itoa(naks),
	}
}

func (s sample) rate() float64 { return s.Rate() }

// cpuEach is the server's CPU time for one exchange in microseconds.
func (s sample) cpuEach() float64 {
	return float64(s.cpu) / float64(time.Microsecond) / float64(max(s.Exchanges, 1))
}

// median is that of a property of samples, of which there must be some.
func median[T cmp.Ordered](samples []sample, of func(sample) T) T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// reportPerfdhcp writes what perfdhcp found.
func (b *bench) reportPerfdhcp(out *strings.Builder) {
	var rows [][]string
	for _, rate := range perfdhcpRates {
		for _, s := range b.tested {
			sent, drops, unique, seen := b.perfdhcpTotal(s.name, rate)
			if seen {
				rows = append(rows, []string{thousands(float64(rate)), s.title, strconv.Itoa(sent), strconv.Itoa(drops), percent(drops, sent), yes(unique)})
			}
		}
	}
	if len(rows) > 0 {
		fmt.Fprintf(out, "\n### perfdhcp, the independent check\n\n%d runs of %d s each, new leases by a relay:\n\n", b.opts.runs, perfdhcpTime)
		table(out, []string{"exchanges/s begun", "server", "messages sent", "without an answer", "", "each address once"}, rows)
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

// table writes rows below their heads.
func table(out *strings.Builder, heads []string, rows [][]string) {
	fmt.Fprintf(out, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat(" --- |", len(heads)))
	for _, row := range rows {
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
	out.WriteByte('\n')
}

// thousands writes a number with commas.
func thousands(v float64) string {
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1000) }

func percent(part, whole int) string {
	return fmt.Sprintf("%.3f %%", 100*float64(part)/float64(max(whole, 1)))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "**no**"
}
