package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/control"
	"labnet/leases"
)

// importParts are two networks, one of which tells clients by their MACs.
func importParts(t *testing.T, identity string) parts {
	t.Helper()
	cfg := load(t, fmt.Sprintf(`network "lab" {
  address = "10.0.0.1/16"
  bridge {
    name = "br-lab"
  }
  dhcp {
    identity = %q
  }
}
network "dmz" {
  address = "10.1.0.1/24"
  bridge {
    name = "br-dmz"
  }
  dhcp {
    identity = "mac"
  }
}
`, identity))
	return compile(cfg, "hypervisor")
}

func theirLease(addr, mac, id string) control.ImportLease {
	return control.ImportLease{
		Address: netip.MustParseAddr(addr), HardwareType: 1, MAC: mac, ClientID: id, State: "bound", Expires: time.Now().Add(time.Hour).Unix(),
	}
}

// outcomes imports and returns what became of the leases, in short, and who they belong to.
func outcomes(t *testing.T, p parts, store *leases.Memory, in ...control.ImportLease) (results, held []string) {
	t.Helper()
	answer, err := importInto(t.Context(), p, store, slog.New(slog.DiscardHandler), control.ImportRequest{Leases: in})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range answer.Results {
		results = append(results, strings.TrimRight(r.Outcome+" "+r.Network+" "+r.Reason, " "))
	}
	stored, _, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range stored {
		held = append(held, fmt.Sprintf("%s %v %v %v", l.Network, l.Addr, l.ID, l.State))
	}
	return results, held
}

// TestImportedClients: who a lease belongs to is who the DHCP server will find it to be.
func TestImportedClients(t *testing.T) {
	declined := theirLease("10.0.0.30", "", "")
	declined.State = "declined"
	foreign := theirLease("10.0.0.31", "52:54:00:00:00:09", "ff:09")
	foreign.State, foreign.Foreign = "declined", true
	infiniband := theirLease("10.0.0.32", "", "ff:32")
	infiniband.HardwareType = 32
	for _, test := range []struct {
		identity string
		want     []string
	}{
		{"auto", []string{"10.0.0.20 ff:01 bound", "10.0.0.21 mac:52:54:00:00:00:02 bound", "10.0.0.22 ff:01:52:54:00:00:00:03 bound"}},
		{"client_id", []string{"10.0.0.20 ff:01 bound", "10.0.0.21 mac:52:54:00:00:00:02 bound"}},
		{"mac", []string{"10.0.0.20 mac:52:54:00:00:00:01 bound", "10.0.0.21 mac:52:54:00:00:00:02 bound", "10.0.0.22 mac:52:54:00:00:00:03 bound"}},
	} {
		t.Run(test.identity, func(t *testing.T) {
			_, held := outcomes(t, importParts(t, test.identity), leases.NewMemory(),
				theirLease("10.0.0.20", "52:54:00:00:00:01", "ff:01"), theirLease("10.0.0.21", "52:54:00:00:00:02", ""),
				theirLease("10.0.0.22", "52:54:00:00:00:03", "ff:01"), theirLease("10.1.0.23", "52:54:00:00:00:01", "ff:01"), declined, foreign, infiniband)
			want := []string{"dmz 10.1.0.23 mac:52:54:00:00:00:01 bound"}
			for _, w := range test.want {
				want = append(want, "lab "+w)
			}
			want = append(want, "lab 10.0.0.30 arp:00:00:00:00:00:00 declined", "lab 10.0.0.31 arp:52:54:00:00:00:09 declined")
			if test.identity != "mac" { // where it has nothing to be told by
				want = append(want, "lab 10.0.0.32 ff:32 bound")
			}
			if diff := cmp.Diff(want, held); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestImportOfNonsense(t *testing.T) {
	bad := func(change func(l *control.ImportLease)) control.ImportLease {
		l := theirLease("10.0.0.20", "52:54:00:00:00:01", "ff:01")
		change(&l)
		return l
	}
	results, held := outcomes(t, importParts(t, "auto"), leases.NewMemory(),
		bad(func(l *control.ImportLease) { l.Address = netip.Addr{} }),
		bad(func(l *control.ImportLease) { l.Address = netip.MustParseAddr("fd00::1") }),
		bad(func(l *control.ImportLease) { l.MAC = "x" }),
		bad(func(l *control.ImportLease) { l.MAC = "00" + strings.Repeat(":00", 16) }),
		bad(func(l *control.ImportLease) { l.ClientID = "ff:0" }),
		bad(func(l *control.ImportLease) { l.State = "offered" }),
		bad(func(l *control.ImportLease) { l.State, l.Address = "expired", netip.MustParseAddr("192.0.2.1") }),
		bad(func(l *control.ImportLease) { l.Expires = -1 << 63 }),
		bad(func(l *control.ImportLease) { l.Start = 1<<63 - 1 }),
		bad(func(l *control.ImportLease) { l.Expires = 1 }),
	)
	want := []string{
		"refused  no network that serves DHCP has this address", "refused  no network that serves DHCP has this address",
		`refused lab hardware address "x": not bytes in hex, separated by colons`,
		"refused lab hardware address 00" + strings.Repeat(":00", 16) + " is longer than 16 bytes",
		`refused lab client identifier "ff:0" is not bytes in hexadecimal with colons`,
		`refused lab state "offered" is none of bound, declined, released and expired`, "skipped  no network that serves DHCP has this address",
		"refused lab its expiry is no time", "refused lab its start is no time", "ended lab",
	}
	if diff := cmp.Diff(want, results); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(held) != 1 {
		t.Errorf("the table has %q", held)
	}
}

// TestImportOnAFullDisk: each commit is there or not, and each lease says it.
func TestImportOnAFullDisk(t *testing.T) {
	store, commits := leases.NewMemory(), 0
	store.FailWith(func([]leases.Lease) error {
		if commits++; commits == 2 {
			return errors.New("no space left on device")
		}
		return nil
	})
	var in []control.ImportLease
	for i := range 2*leases.ImportMost + 10 {
		in = append(in, theirLease(fmt.Sprintf("10.0.%d.%d", 1+i/250, 1+i%250), fmt.Sprintf("52:54:00:00:%02x:%02x", i>>8, i&255), ""))
	}
	results, held := outcomes(t, importParts(t, "auto"), store, in...)
	counts := map[string]int{}
	for _, r := range results {
		counts[r]++
	}
	want := map[string]int{
		"imported lab": leases.ImportMost + 10,
		"refused lab it can't be stored: committing leases: no space left on device": leases.ImportMost,
	}
	if diff := cmp.Diff(want, counts); diff != "" || len(held) != leases.ImportMost+10 {
		t.Errorf("%d are stored; (-want +got):\n%s", len(held), diff)
	}
}

// TestImportOfSomeoneWhoLeft: a request that ends doesn't wait for the disk.
func TestImportOfSomeoneWhoLeft(t *testing.T) {
	p, store := importParts(t, "auto"), leases.NewMemory()
	table, err := leases.NewTable(p.leases, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// The table doesn't run: nothing is ever committed.
	_, err = importer{table, p}.take(ctx, control.ImportRequest{Leases: []control.ImportLease{theirLease("10.0.0.20", "52:54:00:00:00:01", "")}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
