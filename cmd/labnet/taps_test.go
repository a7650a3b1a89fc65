package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/control"
)

func (f *fake) TAPs(_ context.Context, network string) ([]control.TAP, error) {
	return slices.DeleteFunc(exampleTAPs(), func(t control.TAP) bool { return network != "" && t.Network != network }), nil
}

func (f *fake) Ports(context.Context, string) ([]control.Port, error) { return f.ports, nil }

func (f *fake) AddTAPs(_ context.Context, _ control.Caller, n control.NewTAPs) ([]control.TAP, error) {
	f.newTAPs = append(f.newTAPs, n)
	made := make([]control.TAP, len(n.Names))
	for i, name := range n.Names {
		made[i] = control.TAP{Name: name, Network: "lab", MAC: fmt.Sprintf("52:54:00:00:00:%02x", i), MultiQueue: n.MultiQueue}
	}
	return made, nil
}

func (f *fake) DeleteTAPs(_ context.Context, _ control.Caller, names []string, force bool) ([]control.TAP, error) {
	if !force {
		return nil, fmt.Errorf("%w: the TAP %s is in use", control.ErrConflict, names[0])
	}
	made := make([]control.TAP, len(names))
	for i, name := range names {
		made[i].Name = name
	}
	return made, nil
}

// exampleTAPs has one of each kind, one with a program that calls itself something nasty.
func exampleTAPs() []control.TAP {
	return []control.TAP{
		{
			Name: "tap-web", Network: "lab", Origin: control.OriginFile, Owner: "nobody", Group: "kvm", MAC: "52:54:00:00:00:01", Host: "web", VnetHdr: true, Bridge: "br0",
			InUse: true, PID: 4711, Process: "qemu\x1b[31m", Address: netip.MustParseAddr("10.0.0.10"), Guest: "web",
		},
		{Name: "tap0", Network: "lab", Origin: control.OriginRuntime, Owner: "0", MAC: "52:54:00:00:00:02", MultiQueue: true, Bridge: "br0", Made: time.Unix(1800000000, 0).UTC()},
		{Name: "tap1", Network: "lab", Origin: control.OriginRuntime, Group: "kvm", MAC: "52:54:00:00:00:03", Obstacle: `the file has a tap "tap1"`},
		{Name: "tap-x", Network: "dmz", Origin: control.OriginAttached, Owner: "4000000000", Bridge: "br1", InUse: true},
		{Name: "tap2", Network: "lan", Origin: control.OriginFile, Owner: "nobody", MAC: "52:54:00:00:00:04", VnetHdr: true, Guest: "vm\x1b[31m", Waits: "br2, which `labnet apply` makes"},
	}
}

func TestTAPsAreListed(t *testing.T) {
	f := &fake{}
	for _, format := range listFormats {
		got := ask(t, f, "taps", "-o", format)
		if got.Code != exitDone || strings.Contains(got.Out, "\x1b") {
			t.Errorf("%s: %+v", format, got)
		}
		golden(t, "taps."+format, got.Out)
	}
	if got := ask(t, f, "taps", "list", "--network", "dmz", "-o", "csv"); strings.Count(got.Out, "\n") != 2 || !strings.Contains(got.Out, "tap-x,dmz") {
		t.Errorf("%+v", got)
	}
}

func TestTAPArguments(t *testing.T) {
	f := &fake{}
	const qemu = `-netdev tap,id=net0,ifname=tap-web,script=no,downscript=no -device virtio-net-pci,netdev=net0,mac=52:54:00:00:00:01
-netdev tap,id=net1,ifname=tap0,script=no,downscript=no,queues=2 -device virtio-net-pci,netdev=net1,mac=52:54:00:00:00:02,mq=on,vectors=6
`
	if got := ask(t, f, "taps", "args", "tap-web", "tap0"); got.Code != exitDone || got.Out != qemu {
		t.Errorf("%+v", got)
	}
	const libvirt = `<interface type='ethernet'>
  <mac address='52:54:00:00:00:01'/>
  <target dev='tap-web' managed='no'/>
  <model type='virtio'/>
</interface>
`
	if got := ask(t, f, "taps", "args", "--print", "libvirt", "tap-web"); got.Code != exitDone || got.Out != libvirt {
		t.Errorf("%+v", got)
	}
	if got := ask(t, f, "taps", "args", "tap2"); got.Code != exitDone || !strings.Contains(got.Out, "ifname=tap2") || got.ErrOut != "tap2 is down, and waits for br2, which `labnet apply` makes\n" {
		t.Errorf("%+v", got)
	}
	for name, complaint := range map[string]string{
		"tap9": `there is no TAP "tap9"`, "tap1": `the file has a tap "tap1"`, "tap-x": "its guest's MAC address isn't known",
	} {
		if got := ask(t, f, "taps", "args", "tap-web", name); got.Code != exitFailed || got.Out != "" || !strings.Contains(got.ErrOut, complaint) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := ask(t, f, "taps", "args", "--print", "xen", "tap-web"); got.Code != exitWrongUse || !strings.Contains(got.ErrOut, "want one of qemu, libvirt") {
		t.Errorf("%+v", got)
	}
}

func TestTAPsAreMadeAndRemoved(t *testing.T) {
	f := &fake{}
	t.Setenv("SUDO_UID", "")
	got := ask(t, f, "taps", "add", "tap0", "tap1", "--network", "lab", "--owner", "alice", "--group", "kvm", "--multi-queue")
	if got.Code != exitDone || strings.Count(got.Out, "-netdev") != 2 || !strings.Contains(got.Out, "netdev=net1,mac=52:54:00:00:00:01,mq=on") {
		t.Errorf("%+v", got)
	}
	if got := ask(t, f, "taps", "add", "tap0", "-o", "json"); got.Code != exitDone || !strings.Contains(got.Out, `"mac": "52:54:00:00:00:00"`) {
		t.Errorf("%+v", got)
	}
	want := []control.NewTAPs{
		{Names: []string{"tap0", "tap1"}, Network: "lab", Owner: "alice", Group: "kvm", MultiQueue: true}, {Names: []string{"tap0"}},
	}
	if diff := cmp.Diff(want, f.newTAPs); diff != "" {
		t.Error(diff)
	}
	if got := ask(t, f, "taps", "del", "tap0", "tap1"); got.Code != exitFailed || !strings.Contains(got.ErrOut, "the TAP tap0 is in use") {
		t.Errorf("%+v", got)
	}
	if got := ask(t, f, "taps", "del", "--force", "tap0", "tap1"); got.Code != exitDone || got.Out != "removed tap0, tap1\n" {
		t.Errorf("%+v", got)
	}
	for _, args := range []string{"taps add", "taps del", "taps args", "taps run", "taps run tap0", "taps run tap0 true", "taps run -- true", "taps run a b -- true", "taps lst"} {
		if got := ask(t, f, strings.Fields(args)...); got.Code != exitWrongUse || got.Out != "" {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

func TestArgumentsOfAProgramOnATAP(t *testing.T) {
	got := tapArguments([]string{"qemu", "tap,id=n0,fd={fd}", "mac={mac},x={tap}{fd}", "{other} {", ""}, control.TAP{Name: "tap0", MAC: "52:54:00:00:00:01"}, 3)
	want := []string{"qemu", "tap,id=n0,fd=3", "mac=52:54:00:00:00:01,x=tap03", "{other} {", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
