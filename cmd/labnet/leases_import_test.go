package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/control"
	"labnet/internal/nettest"
)

// importLab is a configuration, with a host block that keeps an address.
const importLab = `network "lab" {
  address = "192.0.2.1/24"
  bridge {
    name = "br-lab"
  }
  dhcp {
    identity = "mac"
  }
  host "web" {
    mac     = "52:54:00:00:00:07"
    address = "192.0.2.12"
  }
}

network "dmz" {
  address = "198.51.100.1/24"
  bridge {
    name = "br-dmz"
  }
  dhcp {
    unknown_clients = "deny"
  }
  host "mail" {
    mac = "52:54:00:00:00:08"
  }
}
`

const theirLeases = `4000000000 52:54:00:00:00:01 192.0.2.20 vm1 01:52:54:00:00:00:01
4000000000 52:54:00:00:00:02 192.0.2.12 vm2 *
4000000000 52:54:00:00:00:03 203.0.113.5 vm3 *
4000000000 52:54:00:00:00:04 198.51.100.4 vm4 *
4000000000 52:54:00:00:00:08 198.51.100.8 vm8 *
1000000000 52:54:00:00:00:05 192.0.2.25 vm5 *
garbage
0 52:54:00:00:00:06 192.0.2.26 VM1.example.org *
`

// offline runs a command line by the configuration in the working directory, with the files beside it and no daemon.
func offline(t *testing.T, args ...string) result {
	t.Helper()
	return labnet(t, nil, append(args, "-c", "labnet.hcl", "--state-dir", "state", "--run-dir", "run")...)
}

// TestImportWithoutADaemon: the leases go into the store, and what can't be taken over is named.
func TestImportWithoutADaemon(t *testing.T) {
	nettest.NeedRoot(t)
	inDir(t, map[string]string{"labnet.hcl": importLab, "d.leases": theirLeases})
	problems := `d.leases:2: 192.0.2.12: the address is reserved for another client: web
d.leases:3: 203.0.113.5: no network that serves DHCP has this address
d.leases:4: 198.51.100.4: the client has no reservation and unknown clients are not served
d.leases:7: want five fields, not 1: expiry, hardware address, address, name, client identifier
`
	summary := "3 imported, 0 unchanged, 1 ended and kept in mind, 3 refused, 1 bad, 1 without the name that was asked for"
	dry := offline(t, "leases", "import", "--dry-run", "d.leases")
	if diff := cmp.Diff(result{exitFailed, summary + "; nothing is changed, since this is a dry run\n", problems}, dry); diff != "" {
		t.Errorf("a dry run (-want +got):\n%s", diff)
	}
	alone(t, "d.leases", "labnet.hcl")
	if diff := cmp.Diff(result{exitFailed, summary + "\n", problems}, offline(t, "leases", "import", "d.leases")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again := offline(t, "leases", "import", "d.leases", "-o", "json")
	golden(t, "import-json", again.Out)
	if again.Code != exitFailed || again.ErrOut != "" {
		t.Errorf("%+v", again)
	}

	var found []control.Lease
	exported := offline(t, "leases", "export")
	if err := json.Unmarshal([]byte(exported.Out), &found); err != nil || exported.Code != exitDone {
		t.Fatalf("%v, %+v", err, exported)
	}
	var got []string
	for _, l := range found {
		got = append(got, fmt.Sprintf("%s %v %s %s %q", l.Network, l.Address, l.ClientID, l.State, l.Name))
	}
	want := []string{
		`dmz 198.51.100.8 mac:52:54:00:00:00:08 bound "mail"`,
		`lab 192.0.2.20 mac:52:54:00:00:00:01 bound "vm1"`, // by its MAC, as the network has it
		`lab 192.0.2.25 mac:52:54:00:00:00:05 expired ""`,
		`lab 192.0.2.26 mac:52:54:00:00:00:06 bound ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("leases (-want +got):\n%s", diff)
	}

	// What was exported goes into another store, and comes out of it as it was.
	if err := os.WriteFile("labnet.json", []byte(exported.Out), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename("state", "old"); err != nil {
		t.Fatal(err)
	}
	if got := offline(t, "leases", "import", "labnet.json"); got.Code != exitDone || got.Out != "3 imported, 0 unchanged, 1 ended and kept in mind, 0 refused, 0 bad, 1 without the name that was asked for\n" {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(exported.Out, offline(t, "leases", "export").Out); diff != "" {
		t.Errorf("round and round (-want +got):\n%s", diff)
	}
}

func TestImportIntoANetwork(t *testing.T) {
	nettest.NeedRoot(t)
	inDir(t, map[string]string{"labnet.hcl": importLab, "d.leases": theirLeases, "empty": "", "text": "hello\n"})
	for _, test := range []struct {
		args string
		code int
		want string // in what is printed
	}{
		{"--network lab d.leases", exitFailed, "d.leases:3: 203.0.113.5: the address is not in the pool: it is outside 192.0.2.0/24"},
		{"--network office d.leases", exitFailed, `labnet: there is no network "office" that serves DHCP`},
		{"empty", exitDone, "0 imported, 0 unchanged, 0 refused, 0 bad"},
		{"missing", exitFailed, "labnet: open missing: no such file or directory; nothing is imported"},
		{"d.leases text", exitFailed, "labnet: text: this is no lease file that labnet knows; name its format by --format; nothing is imported"},
		{"--format isc d.leases", exitDone, "0 imported"},
		{"--format xml d.leases", exitWrongUse, "want one of auto, dnsmasq, kea, isc, libvirt, json"},
		{"", exitWrongUse, "labnet leases import wants a file at least"},
	} {
		got := offline(t, append([]string{"leases", "import"}, strings.Fields(test.args)...)...)
		if got.Code != test.code || !strings.Contains(got.Out+got.ErrOut, test.want) {
			t.Errorf("%s: %+v, want %q", test.args, got, test.want)
		}
	}
}

// TestImportFromStandardInput goes to a daemon.
func TestImportFromStandardInput(t *testing.T) {
	nettest.NeedRoot(t)
	f := &fake{imported: control.ImportAnswer{Results: []control.ImportResult{{Outcome: control.OutcomeImported}, {Outcome: control.OutcomeUnchanged}}}}
	socket, stop := serveFake(t, f)
	got := labnet(t, strings.NewReader("0 06-52:54:00:00:00:01 192.0.2.20 * 01:02\n4000000000 52:54:00:00:00:02 192.0.2.21 vm2 *\n"),
		"leases", "import", "-", "--network", "lab", "--dry-run", "--socket", socket, "-c", socket+".none")
	stop()
	if got != (result{exitDone, "1 imported, 1 unchanged, 0 refused, 0 bad; nothing is changed, since this is a dry run\n", ""}) {
		t.Errorf("%+v", got)
	}
	text, err := json.Marshal(f.imports)
	want := `[{"network":"lab","dry_run":true,"leases":[` +
		`{"address":"192.0.2.21","hardware_type":1,"mac":"52:54:00:00:00:02","name":"vm2","hostname":"vm2","state":"bound","expires":4000000000},` +
		`{"address":"192.0.2.20","hardware_type":6,"mac":"52:54:00:00:00:01","client_id":"01:02","state":"bound"}]}]`
	if err != nil || string(text) != want {
		t.Errorf("%v, the daemon is asked\n%s, want\n%s", err, text, want)
	}
}

// TestHostileLeaseFile: names of files and what stands in them can't command a terminal.
func TestHostileLeaseFile(t *testing.T) {
	nettest.NeedRoot(t)
	name := "\x1b[31mleases"
	inDir(t, map[string]string{"labnet.hcl": importLab, name: "4000000000 \x1b[2J 192.0.2.20 \u009bx \x07\n0 52:54:00:00:00:01 \x1b]0;x\x07 x *\n"})
	for _, args := range [][]string{{"-o", "text"}, {"-o", "json"}} {
		got := offline(t, append([]string{"leases", "import", "--format", "dnsmasq", filepath.Join(".", name)}, args...)...)
		if got.Code != exitFailed {
			t.Errorf("%+v", got)
		}
		harmless(t, got.Out+got.ErrOut)
	}
}

func TestExport(t *testing.T) {
	for _, format := range []string{"dnsmasq", "kea", "isc", "libvirt"} {
		got := ask(t, &fake{leases: exampleLeases()}, "leases", "export", "--format", format, "--subnet-id", "7")
		if got.Code != exitDone {
			t.Errorf("%+v", got)
		}
		golden(t, "export-"+format, got.Out+got.ErrOut)
		harmless(t, got.Out)
	}
	got := ask(t, &fake{leases: exampleLeases()}, "leases", "export")
	golden(t, "leases-json", got.Out)
	if got := ask(t, &fake{leases: exampleLeases()}, "leases", "export", "--network", "nowhere"); got.Code != exitFailed || !strings.Contains(got.ErrOut, "there is: lab, dmz") {
		t.Errorf("%+v", got)
	}
}
