package daemon

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/netcfg"
)

const tapsFile = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name   = "br0"
    attach = ["tap-lab*"]
  }
  uplink {
    interface = "tapuplink"
  }
  host "builder" {
    mac = "52:54:00:00:00:01"
  }
  tap "tap-builder" {
    owner = "1000"
    host  = "builder"
  }
  tap "tap-x" {}
}
network "dmz" {
  address = "10.1.0.1/24"
  bridge {
    name   = "br1"
    attach = ["tap-dmz*"]
  }
}
`

func TestTheFileCountsBeforeTAPsMadeAtRunTime(t *testing.T) {
	cfg := load(t, tapsFile)
	cases := []struct{ name, network, want string }{
		{"tap0", "lab", ""},
		{"tap1", "dmz", ""},
		{"tap-builder", "dmz", `the file has a tap "tap-builder", in network "lab"`},
		{"br1", "lab", `the bridge of network "dmz"`},
		{"tapuplink", "dmz", `the uplink of network "lab"`},
		{"tap2", "gone", `there is no network "gone"`},
	}
	var kept []keptTAP
	for _, c := range cases {
		kept = append(kept, keptTAP{Name: c.name, Network: c.network, Owner: "1001"})
	}
	before := compile(cfg, "").host
	host, obstacles := withTAPs(before, cfg, kept)
	for i, c := range cases {
		if (obstacles[i] == "") != (c.want == "") || !strings.Contains(obstacles[i], c.want) {
			t.Errorf("%s in %s: %q, want %q", c.name, c.network, obstacles[i], c.want)
		}
	}
	want := [][]netcfg.TAP{
		{{Name: "tap-builder", Owner: "1000", VnetHdr: true, Guest: netcfg.MAC{0x52, 0x54, 0, 0, 0, 1}}, {Name: "tap-x", VnetHdr: true}, {Name: "tap0", Owner: "1001"}},
		{{Name: "tap1", Owner: "1001"}},
	}
	if diff := cmp.Diff(want, [][]netcfg.TAP{host.Networks[0].TAPs, host.Networks[1].TAPs}); diff != "" {
		t.Error(diff)
	}
	if len(before.Networks[0].TAPs) != 2 || len(before.Networks[1].TAPs) != 0 {
		t.Errorf("the file's part has changed: %+v", before)
	}
}

// The MAC address that somebody has said binds; one that was proposed doesn't. In a bridged network TAPs are its segment's.
func TestTAPsAsTheHostWantsThem(t *testing.T) {
	cfg := load(t, `network "lan" {
  mode = "bridged"
  uplink {
    interface = "eth0"
  }
  tap "tap-said" {
    mac = "52:54:00:00:00:01"
  }
  tap "tap-derived" {}
}
`)
	kept := []keptTAP{
		{Name: "tap0", Network: "lan", Owner: "1000", MAC: "52:54:00:00:00:02", Pinned: true},
		{Name: "tap1", Network: "lan", Owner: "1000", MAC: "52:54:00:00:00:03"},
		{Name: "eth0", Network: "lan"},
	}
	before := compile(cfg, "").host
	host, obstacles := withTAPs(before, cfg, kept)
	want := []netcfg.TAP{
		{Name: "tap-said", VnetHdr: true, Guest: netcfg.MAC{0x52, 0x54, 0, 0, 0, 1}},
		{Name: "tap-derived", VnetHdr: true},
		{Name: "tap0", Owner: "1000", Guest: netcfg.MAC{0x52, 0x54, 0, 0, 0, 2}},
		{Name: "tap1", Owner: "1000"},
	}
	if len(host.Networks) != 0 || len(host.Segments) != 1 {
		t.Fatalf("%+v", host)
	}
	if diff := cmp.Diff(want, host.Segments[0].TAPs); diff != "" || !strings.Contains(obstacles[2], "is the uplink") {
		t.Errorf("%s %v", diff, obstacles)
	}
	if len(before.Segments[0].TAPs) != 2 {
		t.Errorf("the file's part has changed: %+v", before)
	}
}

func TestGuestMACs(t *testing.T) {
	// Everybody's first address is the same, so that they collide.
	derive := func(name string, try int) net.HardwareAddr { return net.HardwareAddr{0x52, 0x54, 0, 0, 1, byte(try)} }
	n := config.Network{
		Name:  "lab",
		Hosts: []config.Host{{Name: "a", MAC: "\x52\x54\x00\x00\x01\x01"}},
		TAPs:  []config.TAP{{Name: "one"}, {Name: "two"}, {Name: "a", Host: "a", MAC: "\x52\x54\x00\x00\x01\x01"}},
	}
	kept := []keptTAP{
		{Name: "kept", Network: "lab", MAC: "52:54:00:00:01:00"},
		{Name: "elsewhere", Network: "dmz", MAC: "52:54:00:00:01:02"},
		{Name: "one", Network: "lab", MAC: "52:54:00:00:01:09"},
	}
	want := map[string]string{
		"a": "52:54:00:00:01:01", "kept": "52:54:00:00:01:00", "one": "52:54:00:00:01:02", "two": "52:54:00:00:01:03",
	}
	if diff := cmp.Diff(want, guestMACs(n, kept, derive)); diff != "" {
		t.Error(diff)
	}
}

func TestWhoMayMakeWhichTAPs(t *testing.T) {
	for _, c := range []struct {
		name string
		uid  uint32
		n    control.NewTAPs
		want string
	}{
		{"root", 0, control.NewTAPs{Names: []string{"vm1"}, Owner: "1000", Group: "kvm"}, ""},
		{"a member", 1000, control.NewTAPs{Names: []string{"tap0", "tap1"}}, ""},
		{"a member that says who it is", 1000, control.NewTAPs{Names: []string{"tap0"}, Owner: "1000"}, ""},
		{"a member for another", 1000, control.NewTAPs{Names: []string{"tap0"}, Owner: "1001"}, "only root and api.admins make TAPs for others"},
		{"a member for root", 1000, control.NewTAPs{Names: []string{"tap0"}, Owner: "root"}, "only root and api.admins make TAPs for others"},
		{"a member for a group", 1000, control.NewTAPs{Names: []string{"tap0"}, Group: "kvm"}, "only root and api.admins give a TAP to a group"},
		{"a member for a host", 1000, control.NewTAPs{Names: []string{"tap0"}, Host: "builder"}, "only root and api.admins say which host's"},
		{"a member with a name like the host's", 1000, control.NewTAPs{Names: []string{"eth1"}}, `begin with "tap", such as tap-eth1`},
		{"with a long one", 1000, control.NewTAPs{Names: []string{"wireguard-15678"}}, `such as tap-wireguard-1:`},
		{"no interface's name", 0, control.NewTAPs{Names: []string{"tap/0"}}, "can't name an interface"},
		{"too long", 0, control.NewTAPs{Names: []string{"tap-0123456789ab"}}, "1 to 15 bytes"},
		{"empty", 0, control.NewTAPs{Names: []string{""}}, "1 to 15 bytes"},
		{"an option", 0, control.NewTAPs{Names: []string{"-a"}}, "can't name an interface"},
		{"the kernel's own", 0, control.NewTAPs{Names: []string{"all"}}, "means something else"},
		{"twice", 0, control.NewTAPs{Names: []string{"tap0", "tap0"}}, "named twice"},
		{"two with one MAC", 0, control.NewTAPs{Names: []string{"tap0", "tap1"}, MAC: "52:54:00:00:00:01"}, "for one TAP alone"},
		{"MAC and host", 0, control.NewTAPs{Names: []string{"tap0"}, MAC: "52:54:00:00:00:01", Host: "builder"}, "either a mac or a host"},
		{"a program's with an owner", 0, control.NewTAPs{Names: []string{"tap0"}, Owner: "1000", Run: true}, "its caller's"},
	} {
		err := checkNewTAPs(control.Caller{UID: c.uid, Admin: c.uid == 0}, c.n)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTAPFile(t *testing.T) {
	dir := t.TempDir()
	f := tapFile{filepath.Join(dir, "taps.json")}
	if got, err := f.load(); got != nil || err != nil {
		t.Errorf("without a file: %v, %v", got, err)
	}
	want := []keptTAP{
		{Name: "tap0", Network: "lab", Owner: "1000", MAC: "52:54:00:00:00:01", VnetHdr: true, Maker: 1000, Run: true, Made: time.Unix(1800000000, 0).UTC()},
		{Name: "tap1", Network: "lab", Group: "kvm", MAC: "52:54:00:00:00:02", Host: "a", MultiQueue: true},
	}
	for range 2 {
		if err := f.save(want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := f.load()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	for _, text := range []string{"", "{", `{"version": 2, "taps": []}`, `{"version": 1, "taps": [{"name": 1}]}`, `{"version": 1, "surprise": 1}`} {
		if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := f.load(); err == nil || !strings.Contains(err.Error(), f.path) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := (tapFile{filepath.Join(f.path, "taps.json")}).save(want); err == nil {
		t.Error("saved where a file is in the way")
	}
}

func TestAProgramIsAboutToOpenItsTAP(t *testing.T) {
	var r tapRuns
	for name, want := range map[string]bool{"tap0": true, "tap1": false, "tap2": true, "tap3": false} {
		switch name {
		case "tap0":
			r.begin(name, os.Getpid())
		case "tap1":
			r.begin(name, 1<<22+1) // beyond the largest process id
		case "tap2":
			r.begin(name, 0)
		}
		if got := r.starting(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
	r.end("tap0")
	if r.starting("tap0") {
		t.Error("tap0 is open, and still about to be")
	}
	if got := fmt.Sprint(len(r.runs)); got != "2" {
		t.Errorf("%s are remembered", got)
	}
}
