package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"labnet/bench/report"
	"labnet/bench/stage"
)

// sample is what was measured of one router.
type sample struct {
	done float64       // bits or connections
	in   time.Duration // in which
	busy time.Duration // of all CPUs
}

func (s *sample) add(x sample) {
	s.done += x.done
	s.in += x.in
	s.busy += x.busy
}

// rate is bits or connections a second.
func (s sample) rate() float64 { return s.done / s.in.Seconds() }

// cost is seconds of all CPUs for each.
func (s sample) cost() float64 { return s.busy.Seconds() / s.done }

// pair is both routers measured one after the other.
type pair struct{ plain, labnet sample }

// bench is all measurements.
type bench struct {
	opts        *options
	dir         string
	throughput  []pair
	connections []pair
	costs       []cost
	cpus        int
	load        string
	versions    []string
}

// settle is how long a bed is given before it is measured, for what its links and programs still have to do.
const settle = 100 * time.Millisecond

// A measurement is made of slices, of both routers by turns: the machine's speed changes within seconds. iperf3 has no shorter ones.
const (
	iperfSlice   = time.Second
	connectSlice = 250 * time.Millisecond
)

func (b *bench) measure(ctx context.Context) error {
	if err := b.lookAround(); err != nil {
		return err
	}
	for i := 0; i < b.opts.pairs; i += pairsOfBeds {
		last := i+pairsOfBeds >= b.opts.pairs
		if err := b.measureBeds(ctx, i, min(i+pairsOfBeds, b.opts.pairs), last); err != nil {
			return err
		}
	}
	return nil
}

// pairsOfBeds is how many pairs are measured before all is made anew: where the kernel happens to put a bed's parts makes a difference of some
// percent for as long as it stands.
const pairsOfBeds = 2

// measureBeds makes both routers, and measures some of the pairs; with the last also packets.
func (b *bench) measureBeds(ctx context.Context, from, to int, last bool) error {
	var beds [2]*bed
	for k := range beds {
		which := (k + from/pairsOfBeds) % 2
		name := []string{"iptables", "labnet"}[which]
		bed, err := makeBed(b.dir, fmt.Sprintf("%s%d", name, from), name)
		if err != nil {
			return err
		}
		defer bed.remove()
		beds[which] = bed
		if which == 0 {
			err = bed.plain()
		} else {
			err = bed.labnet(b.opts)
		}
		if err != nil {
			return err
		}
	}
	plain, labnet := beds[0], beds[1]
	for _, bed := range beds {
		if err := bed.serve(ctx, b.opts); err != nil {
			return err
		}
	}
	for i := from; i < to; i++ {
		b.progress("pair %d of %d", i+1, b.opts.pairs)
		for _, kind := range []struct {
			into  *[]pair
			slice time.Duration
			one   func(*bed) (sample, error)
		}{{&b.throughput, iperfSlice, iperf}, {&b.connections, connectSlice, connect}} {
			p, err := inTurn(ctx, plain, labnet, i, int(b.opts.each/kind.slice), kind.one)
			if err != nil {
				return err
			}
			*kind.into = append(*kind.into, p)
		}
	}
	if !last {
		return nil
	}
	b.progress("packets, %d rounds", b.opts.rounds)
	done := make(chan error)
	go func() { done <- b.measureCosts(ctx, plain, labnet) }()
	return <-done
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+"bench-nat: "+format+"\n", args...)
}

func (b *bench) lookAround() error {
	cpus, err := stage.OnlineCPUs()
	if err != nil {
		return err
	}
	b.cpus, b.load = len(cpus), report.Load()
	for _, command := range [][]string{{"iperf3", "--version"}, {"iptables", "--version"}} {
		version, err := report.Version(command...)
		if err != nil {
			return err
		}
		b.versions = append(b.versions, version)
	}
	return nil
}

// inTurn measures slices of both routers, every other time in reverse, so that none is always behind the other.
func inTurn(ctx context.Context, plain, labnet *bed, first, slices int, one func(*bed) (sample, error)) (p pair, err error) {
	steps := []struct {
		bed  *bed
		into *sample
	}{{plain, &p.plain}, {labnet, &p.labnet}}
	for i := range slices {
		for turn := range steps {
			s := steps[(turn+first+i)%2]
			if err := pause(ctx, settle); err != nil {
				return p, err
			}
			slice, err := one(s.bed)
			if err != nil {
				return p, fmt.Errorf("%s: %w", s.bed.title, err)
			}
			s.into.add(slice)
		}
	}
	return p, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// serve starts what answers on the LAN, and waits until the guest reaches it.
func (b *bed) serve(ctx context.Context, o *options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"iperf3", "-s"}, {self, acceptorName}} {
		if _, err := b.start(b.lan, o.cpus, args...); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err = output(b.guest, self, connectorName, "10")
		if err == nil {
			// And iperf3, which comes up in its own time.
			if _, err = output(b.guest, "iperf3", "-c", lanAddr, "-n", "1K"); err == nil {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: the guest doesn't reach the LAN: %w", b.title, err)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// iperf measures one TCP connection.
func iperf(bed *bed) (sample, error) {
	before, err := busy()
	if err != nil {
		return sample{}, err
	}
	out, err := output(bed.guest, "iperf3", "-c", lanAddr, "-J", "-t", strconv.Itoa(int(iperfSlice.Seconds())))
	if err != nil {
		return sample{}, err
	}
	after, err := busy()
	if err != nil {
		return sample{}, err
	}
	var result struct {
		End struct {
			Received struct {
				Bytes   int64   `json:"bytes"`
				Seconds float64 `json:"seconds"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		return sample{}, fmt.Errorf("reading iperf3's answer: %w", err)
	}
	r := result.End.Received
	if r.Bytes == 0 || r.Seconds <= 0 {
		return sample{}, errors.New("iperf3 moved nothing")
	}
	return sample{done: float64(r.Bytes) * 8, in: time.Duration(r.Seconds * float64(time.Second)), busy: after - before}, nil
}

// connect measures how many connections can be opened.
func connect(bed *bed) (sample, error) {
	self, err := os.Executable()
	if err != nil {
		return sample{}, err
	}
	// What earlier connections left in the table would make these slower.
	if _, err := bed.onRouter("conntrack", "-F"); err != nil {
		return sample{}, err
	}
	before, err := busy()
	if err != nil {
		return sample{}, err
	}
	out, err := output(bed.guest, self, connectorName, strconv.FormatInt(connectSlice.Milliseconds(), 10))
	if err != nil {
		return sample{}, err
	}
	after, err := busy()
	if err != nil {
		return sample{}, err
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
	if err != nil || n == 0 {
		return sample{}, fmt.Errorf("no connections: %q", out)
	}
	return sample{done: n, in: connectSlice, busy: after - before}, nil
}

// busy is how long all CPUs have computed, programs, kernel and interrupts: forwarding happens in whatever a packet interrupts.
func busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(first)
	if len(fields) < 9 {
		return 0, fmt.Errorf("/proc/stat begins with %q", first)
	}
	const tick = 10 * time.Millisecond // USER_HZ
	var sum time.Duration
	for _, i := range []int{1, 2, 3, 6, 7} { // user, nice, system, irq, softirq
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}
