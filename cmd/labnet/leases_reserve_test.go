package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/control"
	"labnet/internal/nettest"
)

func TestReserve(t *testing.T) {
	nettest.NeedRoot(t)
	f := &fake{leases: exampleLeases()}
	for _, args := range []string{
		"builder",
		"10.0.0.60 --name x",
		"gone --address 10.0.0.10",
		"52-54-00-99-99-99 --address 10.0.0.9 --name db --network lab",
	} {
		got := ask(t, f, append([]string{"leases", "reserve"}, strings.Fields(args)...)...)
		if got.Code != exitDone || !strings.HasPrefix(got.Out, "reserved ") || got.ErrOut != "note: 10.0.0.57 is leased to another until its next renewal\n" {
			t.Errorf("%s: %+v", args, got)
		}
	}
	addr := netip.MustParseAddr
	want := []control.Reservation{
		{Network: "lab", MAC: "52:54:00:00:00:01", Address: addr("10.0.0.57"), Name: "builder"},
		{Network: "lab", MAC: "52:54:00:00:00:02", Address: addr("10.0.0.60"), Name: "x"},
		{Network: "lab", MAC: "52:54:00:00:00:30", Address: addr("10.0.0.10"), Name: "gone"},
		{Network: "lab", MAC: "52:54:00:99:99:99", Address: addr("10.0.0.9"), Name: "db"},
	}
	for i := range want {
		want[i].Origin, want[i].Obstacle = f.reserved[i].Origin, f.reserved[i].Obstacle
	}
	if diff := cmp.Diff(want, f.reserved, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := ask(t, f, "leases", "unreserve", "db"); got.Code != exitDone || got.Out != "no longer reserved: 10.0.0.9 and the name db for 52:54:00:99:99:99 in lab\n" || len(f.reserved) != 3 {
		t.Errorf("%+v", got)
	}
	for args, complaint := range map[string]string{
		"reserve nobody":               "name a guest that is yet to come by its MAC",
		"reserve twin":                 "ambiguous",
		"reserve builder --name taken": `has the name "taken"`,
		"unreserve db":                 `nothing is reserved with the address, name or MAC "db"`,
		"reservations --network none":  "", // the fake has the others'
	} {
		got := ask(t, f, append([]string{"leases"}, strings.Fields(args)...)...)
		if complaint != "" && (got.Code != exitFailed || !strings.Contains(got.ErrOut, complaint)) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	for _, format := range []string{"table", "csv", "json"} {
		got := ask(t, f, "leases", "reservations", "-o", format)
		if got.Code != exitDone {
			t.Errorf("%+v", got)
		}
		golden(t, "reservations-"+format, got.Out)
	}
}

// TestReserveForTheFile: what --hcl prints is right in a file.
func TestReserveForTheFile(t *testing.T) {
	const networks = "network \"lab\" {\n  address = \"10.0.0.1/24\"\n  bridge {\n    name = \"br0\"\n  }\n}\nnetwork \"dmz\" {\n  address = \"10.1.0.1/24\"\n  bridge {\n    name = \"br1\"\n  }\n}\n"
	f := &fake{leases: exampleLeases()}
	for _, args := range []string{
		"builder",
		"52:54:00:99:99:99 --address 10.1.0.9 --name db", // of a guest that is yet to come: in the address's network
		"52:54:00:99:99:99 --network dmz --name DB",
	} {
		got := ask(t, f, append([]string{"leases", "reserve", "--hcl"}, strings.Fields(args)...)...)
		if got.Code != exitDone || len(f.reserved) > 0 {
			t.Fatalf("%s: %+v", args, got)
		}
		file := filepath.Join(t.TempDir(), "lab.hcl")
		if err := os.WriteFile(file, []byte(networks+got.Out), 0o600); err != nil {
			t.Fatal(err)
		}
		if checked := labnet(t, nil, "check", file); checked.Code != exitDone {
			t.Errorf("%s: %s%+v", args, got.Out, checked)
		}
		if formatted := labnet(t, nil, "fmt", "--check", file); formatted.Code != exitDone {
			t.Errorf("not as fmt writes it: %s%+v", got.Out, formatted)
		}
	}
	for args, complaint := range map[string]string{
		"10.0.0.60":                   "give one with --name",
		"52:54:00:99:99:99 --name db": "say which one with --network",

		"52:54:00:99:99:99 --name db --network none": `there is no network "none"`,
		"builder --name a.b":                         `"a.b" has a dot in it`,
		"builder --name ${x}":                        `"${x}" has '$' in it`,
		"builder --name 101":                         "all digits",
		"builder --address fe80::1":                  "not an IPv4 address",
		"01:00:5e:00:00:01 --name db --network lab":  "not a guest's",
	} {
		got := ask(t, f, append([]string{"leases", "reserve", "--hcl"}, strings.Fields(args)...)...)
		if got.Code == exitDone || got.Out != "" || !strings.Contains(got.ErrOut, complaint) {
			t.Errorf("%s: %+v, want %q", args, got, complaint)
		}
	}
}

// TestAGuestIsNamedByItsMAC in each way that MACs are written in.
func TestAGuestIsNamedByItsMAC(t *testing.T) {
	nettest.NeedRoot(t)
	for _, mac := range []string{"52:54:00:00:00:01", "52-54-00-00-00-01", "5254.0000.0001"} {
		f := &fake{leases: exampleLeases()}
		for _, args := range []string{"show MAC", "reserve MAC", "unreserve MAC", "release MAC"} {
			if got := ask(t, f, append([]string{"leases"}, strings.Fields(strings.ReplaceAll(args, "MAC", mac))...)...); got.Code != exitDone {
				t.Errorf("%s of %s: %+v", args, mac, got)
			} else if strings.HasPrefix(args, "reserve") && f.reserved[0].Name != "builder" {
				t.Errorf("%s of %s doesn't find its lease: %+v", args, mac, f.reserved)
			}
		}
	}
}

// TestAnEmptyArgumentIsWrongUse, as the variable of a script that isn't set is.
func TestAnEmptyArgumentIsWrongUse(t *testing.T) {
	nettest.NeedRoot(t)
	f := &fake{leases: exampleLeases()}
	for _, args := range [][]string{{"wait", ""}, {"reserve", "builder", "--address", ""}} {
		if got := ask(t, f, append([]string{"leases"}, args...)...); got.Code != exitWrongUse {
			t.Errorf("%q: %+v", args, got)
		}
	}
	if len(f.reserved) > 0 {
		t.Errorf("reserved: %+v", f.reserved)
	}
}

// TestAnAmbiguousReservationSaysWhich: what a reservation of run time had may be another's since the file says otherwise.
func TestAnAmbiguousReservationSaysWhich(t *testing.T) {
	addr := netip.MustParseAddr("10.0.0.50")
	f := &fake{reserved: []control.Reservation{
		{Network: "lab", MAC: "52:54:00:00:00:01", Address: addr, Origin: control.OriginRuntime, Obstacle: "the file disagrees"},
		{Network: "lab", MAC: "52:54:00:00:00:02", Address: addr, Origin: control.OriginRuntime},
	}}
	got := ask(t, f, "leases", "unreserve", "10.0.0.50")
	if got.Code != exitFailed || !strings.Contains(got.ErrOut, "for 52:54:00:00:00:01 in lab, for 52:54:00:00:00:02 in lab; name the MAC") {
		t.Errorf("%+v", got)
	}
}
