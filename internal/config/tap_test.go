package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTAPsArrive(t *testing.T) {
	got := mustLoad(t, `
network "lab" {
  address = "10.0.0.1/24"
  host "builder" {
    mac = "52:54:00:12:34:56"
  }
  tap "tap-builder" {
    owner = "alice"
    host  = "Builder"
  }
  tap "tap-q" {
    owner       = 1000
    group       = "kvm"
    mac         = "52-54-00-00-00-02"
    multi_queue = true
    vnet_hdr    = false
  }
}
tap "tap.9" {
  network = "lab"
}
`).Networks[0].TAPs
	want := []TAP{
		{Name: "tap-builder", Owner: "alice", Host: "builder", MAC: "\x52\x54\x00\x12\x34\x56", VnetHdr: true},
		{Name: "tap-q", Owner: "1000", Group: "kvm", MAC: "\x52\x54\x00\x00\x00\x02", MultiQueue: true},
		{Name: "tap.9", VnetHdr: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTAPsOfABridgedNetwork(t *testing.T) {
	got := mustLoad(t, `
network "lan" {
  mode = "bridged"
  uplink {
    interface = "eth0"
  }
  tap "tap-vm1" {
    owner = 1000
    mac   = "52:54:00:12:34:56"
  }
}
tap "tap-vm2" {
  network = "lan"
}
`).Networks[0].TAPs
	want := []TAP{
		{Name: "tap-vm1", Owner: "1000", MAC: "\x52\x54\x00\x12\x34\x56", VnetHdr: true},
		{Name: "tap-vm2", VnetHdr: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A name that this host doesn't know is a warning, where hosts are looked at: the file may be another host's.
func TestUnknownOwnersAreWarnedOf(t *testing.T) {
	text := "network \"lab\" {\n  address = \"10.0.0.1/24\"\n  tap \"tap0\" {\n    owner = \"no-such-user\"\n    group = \"no-such-group\"\n  }\n}\n"
	cfg, diags := load([]source{{"test.hcl", []byte(text)}}, newDiagnostics(), readable)
	if cfg == nil || diags.HasErrors() || len(diags.All()) != 2 {
		t.Errorf("%v:\n%s", cfg, textOf(t, diags))
	}
	mustLoad(t, text)
}
