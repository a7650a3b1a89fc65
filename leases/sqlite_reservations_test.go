package leases

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReservationsAreKept(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "leases.db")
	s := openStore(t, path)
	byMAC := KeptReservation{Network: "lab", HWAddr: "\x52\x54\x00\x00\x00\x01", Name: "vm1", Addr: ip("192.0.2.10"), Made: at(0)}
	byID := KeptReservation{Network: "lab", ID: ClientIDFromOption([]byte("\x01\x02\x03")), Made: at(1)}
	elsewhere := byMAC
	elsewhere.Network, elsewhere.Made = "dmz", at(2)
	for _, r := range []KeptReservation{byMAC, byID, elsewhere} {
		if err := s.Reserve(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	byMAC.Addr, byMAC.Name, byMAC.Made = ip("192.0.2.11"), "", at(3)
	if err := s.Reserve(ctx, byMAC); err != nil {
		t.Fatal(err)
	}
	if err := s.Unreserve(ctx, elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := s.Unreserve(ctx, elsewhere); err != nil {
		t.Errorf("once more: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	shell(t, path, "INSERT INTO reservations VALUES ('lab', '', '', '', '', 9), ('lab', '52:54', '', 'Not A Name', '', 9), ('lab', 'xx', '', '', '', 9), ('lab', '52', '', '', '::1', 9)")
	again := openStore(t, path)
	got, bad, err := again.Reservations(ctx)
	if diff := cmp.Diff([]KeptReservation{byID, byMAC}, got, sameAddr); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if len(bad) != 4 || !strings.Contains(bad[0].Reason, "want one of") {
		t.Errorf("what makes no sense: %+v", bad)
	}
	// A commit under way doesn't stand in the way.
	if err := again.Commit(ctx, []Lease{stored(10)}); err != nil {
		t.Fatal(err)
	}
	if err := again.Reserve(ctx, byMAC); err != nil {
		t.Error(err)
	}
}
