package leases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// TestARequestGoesBeforeTheOffersOfAFlood: whoever asks for what it was offered gets it, although a guest that invents
// hardware addresses, and never requests anything, was offered it since because nothing else was left.
func TestARequestGoesBeforeTheOffersOfAFlood(t *testing.T) {
	b := newBench(t, labNetwork(13)) // 4 addresses
	for i := range 10 {
		b.offer(guest(1000+i, ""), "", 0)
	}
	addr, choice := b.offer(guest(1, "vm"), "", 0)
	if choice != ChoseTakenBack {
		t.Fatalf("got %s by %s: the pool isn't exhausted", addr, choice)
	}
	for i := range 10 {
		b.offer(guest(2000+i, ""), "", 0)
	}
	if l := b.lease(guest(1, "vm"), addr, 600, 0); l.Addr != ip(addr) {
		t.Fatalf("got %v", l.Addr)
	}
	// The lease stands; only offers give way.
	if _, err := b.Bind("lab", guest(2, ""), ip(addr), time.Minute, at(0)); err == nil {
		t.Error("a leased address was given away")
	}
}

// TestAnOfferIsKeptWhileThereIsEnough: while the pool isn't exhausted nobody gets what another was offered.
func TestAnOfferIsKeptWhileThereIsEnough(t *testing.T) {
	b := newBench(t, labNetwork(20))
	addr, _ := b.offer(guest(1, ""), "", 0)
	if _, err := b.Bind("lab", guest(2, ""), ip(addr), time.Minute, at(0)); !errors.Is(err, ErrTaken) {
		t.Errorf("got %v", err)
	}
}

// TestOffersTakeBoundedMemory: in a large network most of what a flood was offered is never given to anybody.
func TestOffersTakeBoundedMemory(t *testing.T) {
	n := Network{Name: "lab", Subnet: netip.MustParsePrefix("10.0.0.0/8"), Ranges: []Range{{ip("10.0.0.10"), ip("10.255.255.200")}}}
	b := newBench(t, n)
	const flood = 3 * maxBlank
	for i := range flood {
		if _, _, err := b.Offer("lab", guest(i, ""), netip.AddrFrom4([4]byte{10, 200, byte(i >> 8), byte(i)}), at(i/10000)); err != nil {
			t.Fatal(err)
		}
	}
	b.check()
	if slots, clients := len(b.networks["lab"].slots), len(b.networks["lab"].clients); slots > maxBlank || clients > maxBlank {
		t.Errorf("%d addresses and %d clients are remembered after %d offers", slots, clients, flood)
	}
	addr, _ := b.offer(guest(flood, "vm"), "", 20)
	l := b.lease(guest(flood, "vm"), addr, 600, 20)
	// Minutes later the offers are gone, and so is nothing else.
	if got, choice := b.offer(guest(flood, "vm"), "", 300); got != l.Addr.String() || choice != ChoseBinding {
		t.Errorf("got %s by %s, want %v", got, choice, l.Addr)
	}
}

// TestGuestsCannotFillTheLog changes names and declines addresses, as a guest can as often as it likes.
func TestGuestsCannotFillTheLog(t *testing.T) {
	var log bytes.Buffer
	table := must[*Table](t)(NewTable(Config{Networks: []Network{labNetwork(250)}}, NewMemory(),
		slog.New(slog.NewTextHandler(&log, nil))))
	if err := table.Load(context.Background(), epoch); err != nil {
		t.Fatal(err)
	}
	c := committer{table: table}
	const rounds = 3000
	for i := range rounds {
		g := guest(1, []string{"wpad", "gateway"}[i%2])
		l, _, err := table.Offer("lab", g, ip(""), epoch)
		if err != nil {
			t.Fatal(err)
		}
		ch := must[Change](t)(table.Bind("lab", g, l.Addr, time.Hour, epoch))
		table.Submit([]Change{ch}, nil)
		if i%2 == 0 {
			ch = must[Change](t)(table.Decline("lab", g, l.Addr, epoch))
			table.Submit([]Change{ch}, nil)
		}
		c.round(context.Background(), epoch)
	}
	if n := strings.Count(log.String(), "\n"); n > 1000 || n == 0 {
		t.Errorf("%d lines for %d messages", n, rounds)
	}
	log.Reset()
	// A minute later there is something to say again, and how much wasn't said.
	ch := must[Change](t)(table.Bind("lab", guest(2, "wpad"), ip("192.0.2.200"), time.Hour, at(60)))
	table.Submit([]Change{ch}, nil)
	if !strings.Contains(log.String(), "wpad") || !strings.Contains(log.String(), "suppressed=") {
		t.Errorf("got %q", log.String())
	}
}

// TestAliasesFollowTheLease: a host of the configuration without an address has its further names too.
func TestAliasesFollowTheLease(t *testing.T) {
	n := labNetwork(20)
	n.Reservations = []Reservation{{Name: "web", Aliases: []string{"ci", "runner"}, HWAddr: hw(1)}}
	b := newBench(t, n)
	if addr, _, ok := b.AddrOf("lab", []byte("ci"), at(0)); ok {
		t.Fatalf("ci is %v before the lease", addr)
	}
	l := b.lease(guest(1, "anything"), "192.0.2.12", 600, 0)
	for _, name := range []string{"web", "ci", "runner"} {
		if addr, left, ok := b.AddrOf("lab", []byte(name), at(0)); !ok || addr != l.Addr || left != 600*time.Second {
			t.Errorf("%s: %v %v %v", name, addr, left, ok)
		}
	}
	if name, _, _ := b.NameOf("lab", l.Addr, at(0)); name != "web" {
		t.Errorf("the address is %q", name)
	}
	b.submit(must[Change](t)(b.Release("lab", guest(1, ""), l.Addr, at(1))))
	b.commit(1)
	if addr, _, ok := b.AddrOf("lab", []byte("ci"), at(1)); ok {
		t.Errorf("ci is %v after the release", addr)
	}
}

// TestHistoryIsBounded has a client change its name all the time, as a guest can: each time is a row.
func TestHistoryIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.db")
	s, err := OpenSQLite(SQLiteConfig{Path: path, History: 200 * 365 * 24 * time.Hour, HistoryRows: 100}) // these rows are old
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const changes = 1000
	for i := range changes {
		l := stored(10)
		l.Name = fmt.Sprintf("name%d", i)
		if err := s.Commit(context.Background(), []Lease{l}); err != nil {
			t.Fatal(err)
		}
		if i%50 == 49 {
			flush(t, s)
		}
	}
	count, err := strconv.Atoi(shell(t, path, "SELECT count(*) FROM history"))
	if err != nil {
		t.Fatal(err)
	}
	if count < 100 || count > 300 {
		t.Errorf("%d rows of history are left of %d", count, changes)
	}
	if got, want := shell(t, path, "SELECT name FROM history ORDER BY id DESC LIMIT 1"), fmt.Sprintf("name%d", changes-2); got != want {
		t.Errorf("the last one is %q, want %q", got, want)
	}
}

// TestAFullDiskAtTheStartIsNamed: SQLite itself says "disk I/O error (4874)".
func TestAFullDiskAtTheStartIsNamed(t *testing.T) {
	nettest.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	path := filepath.Join(dir, "leases.db")
	for _, existing := range []bool{false, true} {
		if existing {
			if err := openStore(t, path).Close(); err != nil {
				t.Fatal(err)
			}
		}
		filler := filepath.Join(dir, "filler")
		if err := fill(filler); !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		s, err := OpenSQLite(SQLiteConfig{Path: path})
		if err == nil {
			_ = s.Close()
			t.Fatal("it opens: the disk isn't full")
		}
		if !strings.Contains(err.Error(), "no space left in "+dir) || strings.Contains(err.Error(), "move it") {
			t.Errorf("existing %v: %v", existing, err)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	openStore(t, path)
}
