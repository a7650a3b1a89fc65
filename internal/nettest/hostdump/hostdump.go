package hostdump

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
)

// Dump is a host's links, addresses, routes, rules, sysctls and nftables rules as text, one line an entry of the list.
type Dump []string

// sources are the commands whose output makes up a dump.
const sources = `
set -e
show() { echo "# $*"; "$@"; }
show ip -d link show
show ip -d address show
show ip -d -4 route show table all
show ip -d -6 route show table all
show ip -4 rule show
show ip -6 rule show
show ip -d -4 netconf show
show bridge -d link show
show nft list ruleset
echo "# sysctl net"
# Some keys are write-only, and some may not be read before they are set.
sysctl -a -e --pattern '^net\.' 2>/dev/null | sort
`

// patience is how long Take waits for duplicate address detection (RFC 4862 section 5.4), which takes a second or two on an idle machine.
const patience = 10 * time.Second

// Take dumps a host. Lifetimes, counters and temporary addresses are taken out, since they change by themselves; nothing else is. While
// the kernel looks whether others have an address, its routes are still missing: Take waits for it, and fails the test if it doesn't end.
func Take(t testing.TB, host *nettest.Host) Dump {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		dump := Normalise(host.Run(t, "sh", "-c", sources))
		switch {
		case !dump.tentative():
			return dump
		case time.Now().After(deadline):
			t.Fatalf("the kernel still looks for others with an address:\n%s", strings.Join(dump, "\n"))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// tentative reports whether duplicate address detection is under way. An address of a link without a carrier stays tentative.
func (d Dump) tentative() bool {
	carrier := false
	for _, line := range d {
		if line != "" && line[0] != ' ' {
			carrier = strings.Contains(line, "LOWER_UP")
		}
		if carrier && strings.HasPrefix(line, "    inet6 ") && strings.Contains(line, " tentative") && !strings.Contains(line, "dadfailed") {
			return true
		}
	}
	return false
}

// Diff tells what is different after from before, "" if nothing is.
func Diff(before, after Dump) string { return cmp.Diff(before, after) }

// normalisers are the values that change by themselves: what is matched by the second group gives way to "…".
func normalisers() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`((?:valid_lft|preferred_lft|expires)) (-?\d+sec)`),
		regexp.MustCompile(`(\b(?:hello|tcn|topology_change|gc|hold|message_age|forward_delay)_timer) +(\d+\.\d+)`),
		regexp.MustCompile(`(\bpackets) (\d+)`),
		regexp.MustCompile(`(\bbytes) (\d+)`),
		regexp.MustCompile(`(^net\.netfilter\.nf_conntrack_count =) (\d+)`),
	}
}

// Normalise turns the output of the sources into a dump.
func Normalise(output string) Dump {
	temporary := regexp.MustCompile(`^\s+inet6 .* scope global .*\btemporary\b`)
	rules := normalisers()
	var dump Dump
	skipLifetime := false
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if skipLifetime && strings.Contains(line, "valid_lft") {
			skipLifetime = false
			continue
		}
		skipLifetime = temporary.MatchString(line)
		if skipLifetime {
			continue
		}
		for _, r := range rules {
			line = r.ReplaceAllString(line, "${1} …")
		}
		dump = append(dump, line)
	}
	return dump
}
