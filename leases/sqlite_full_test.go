package leases

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

func TestFullDisk(t *testing.T) {
	nettest.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	path := filepath.Join(dir, "leases.db")
	store := openStore(t, path)
	table := must[*Table](t)(NewTable(Config{Networks: []Network{labNetwork(250)}}, store, slog.New(slog.DiscardHandler)))
	if err := table.Load(context.Background(), time.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- table.Run(ctx) }()
	lease := func(i int) (Change, error) {
		c := guest(i, "")
		l, _, err := table.Offer("lab", c, ip(""), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		ch := must[Change](t)(table.Bind("lab", c, l.Addr, time.Hour, time.Now()))
		verdict := make(chan error)
		table.Submit([]Change{ch}, func(err error) { verdict <- err })
		return ch, <-verdict
	}
	first, err := lease(1)
	if err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := fill(filler); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	// The log has its room already: renewals fill it.
	durable := first.Lease
	for i := 1; ; i++ {
		if i > 50000 {
			t.Fatal("renewals succeed on a full disk")
		}
		again := must[Change](t)(table.Bind("lab", guest(1, ""), first.Lease.Addr, time.Duration(i)*time.Hour, time.Now()))
		verdict := make(chan error)
		table.Submit([]Change{again}, func(err error) { verdict <- err })
		if err := <-verdict; err == nil {
			durable = again.Lease
			continue
		}
		if l, ok := table.Durable(again, time.Now()); !ok || !l.Expiry.Equal(durable.Expiry) {
			t.Errorf("durable of a renewal that failed: %v %v, want %v", l, ok, durable)
		}
		break
	}
	if table.StoreErr() == nil {
		t.Error("StoreErr says nothing")
	}
	if err := table.StoreWarning(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("StoreWarning says %v", err)
	}
	for i := 2; i < 5; i++ {
		if ch, err := lease(i); err == nil {
			t.Error("a new lease succeeds on a full disk")
		} else if l, ok := table.Durable(ch, time.Now()); ok {
			t.Errorf("durable of a lease that failed: %v", l)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if _, err := lease(220); err != nil {
		t.Errorf("after space was made: %v", err)
	}
	if table.StoreErr() != nil || table.StoreWarning() != nil {
		t.Errorf("after space was made: %v, %v", table.StoreErr(), table.StoreWarning())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	published := table.Leases("")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(published, load(t, openStore(t, path)), sameAddr); diff != "" {
		t.Errorf("published and stored differ (-published +stored):\n%s", diff)
	}
}

// fill writes until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 16; ; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			if size == 1 {
				return err
			}
			size /= 2
		}
	}
}

// TestStartOnAFullDisk: who has a lease is served although what the last run has left in the log has no room in the database.
func TestStartOnAFullDisk(t *testing.T) {
	nettest.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	path := filepath.Join(dir, "leases.db")
	s := openStore(t, path)
	if err := s.Commit(context.Background(), []Lease{stored(10)}); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	filler := filepath.Join(dir, "filler")
	if err := fill(filler); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	for i := range 200 {
		if err := s.Commit(context.Background(), []Lease{stored(i)}); err != nil {
			t.Fatal(err)
		}
	}
	kill(t, s)
	again := openStore(t, path)
	if got := len(load(t, again)); got != 200 {
		t.Errorf("%d leases on a full disk", got)
	}
	if err := again.Err(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("Err says %v", err)
	}
	if err := again.Commit(context.Background(), []Lease{stored(200)}); err == nil {
		t.Error("a commit succeeds")
	}
	// Ending it and being killed cost nothing.
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	again = openStore(t, path)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := again.Commit(context.Background(), []Lease{stored(200)}); err != nil || again.Err() != nil {
		t.Errorf("after space was made: %v, %v", err, again.Err())
	}
	if again.redo == nil {
		t.Error("the log wasn't made anew")
	}
	kill(t, again)
	if got := len(load(t, openStore(t, path))); got != 201 {
		t.Errorf("%d leases in the end", got)
	}
}
