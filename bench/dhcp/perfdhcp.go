package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// check is what perfdhcp found at one rate.
type check struct {
	server string
	rate   int // exchanges a second that it began
	sent   int // DISCOVERs and REQUESTs
	drops  int // of them without an answer
	unique bool
}

// perfdhcpRates are exchanges a second.
var perfdhcpRates = []int{5000, 10000}

// perfdhcpTime is in seconds.
const perfdhcpTime = 3

var (
	perfdhcpSent  = regexp.MustCompile(`(?m)^sent packets: (\d+)`)
	perfdhcpDrops = regexp.MustCompile(`(?m)^drops: (\d+)`)
	perfdhcpTwice = regexp.MustCompile(`(?m)^non unique addresses: (\d+)`)
)

// perfdhcp lets perfdhcp ask the server for leases at fixed rates; it is a relay.
func (b *bench) perfdhcp(ctx context.Context, p *place) error {
	if p.subject.slow || p.subject.name == responderName {
		return nil
	}
	if err := p.crowd.Close(); err != nil { // perfdhcp wants its port
		return err
	}
	for _, rate := range perfdhcpRates {
		cmd := exec.CommandContext(ctx, "perfdhcp", "-4", "-u", "-l", clientEnd, "-r", strconv.Itoa(rate),
			"-p", strconv.Itoa(perfdhcpTime), "-R", strconv.Itoa(rate*perfdhcpTime), "-W", "500000",
			"-b", fmt.Sprintf("mac=00:0c:%02x:00:00:00", rate/1000), serverAddr.Addr().String())
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// 3 is its exit code for exchanges that were not completed, which are counted below.
		if err != nil && cmd.ProcessState.ExitCode() != 3 {
			return fmt.Errorf("perfdhcp: %w: %s", err, out)
		}
		b.checks = append(b.checks, check{
			server: p.subject.name, rate: rate,
			sent: total(perfdhcpSent, out), drops: total(perfdhcpDrops, out), unique: total(perfdhcpTwice, out) == 0,
		})
	}
	return nil
}

// total adds up the numbers that an expression finds.
func total(what *regexp.Regexp, out []byte) int {
	sum := 0
	for _, match := range what.FindAllSubmatch(out, -1) {
		n, _ := strconv.Atoi(string(match[1])) // the expression matches digits only
		sum += n
	}
	return sum
}
