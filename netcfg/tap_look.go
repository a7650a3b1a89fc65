package netcfg

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// TAPLink is a TAP device on one of our bridges, or one of ours elsewhere, as it is now.
type TAPLink struct {
	Name         string
	Index        int
	Bridge       string // "" if it is on none
	Ours         bool   // made by labnet; else a machine's own that was attached
	Owner, Group int64  // user and group id, -1 for none
	MultiQueue   bool
	Used         bool // somebody has it open
	Up           bool
	PID          int    // of who has it open, as far as that can be seen; 0 if not
	Process      string // that one's name, which is foreign text
	MACs         []net.HardwareAddr
}

// TAPs lists them, by index. Who has them open only root sees, of the processes in the caller's network and process namespaces. MACs are the
// addresses that the bridge has heard behind each within the last five minutes.
func (h *Host) TAPs() ([]TAPLink, error) {
	if err := h.enter(context.Background()); err != nil {
		return nil, err
	}
	defer h.leave()
	rec, err := h.record.load()
	if err != nil {
		return nil, err
	}
	f := &facts{machine: h.ns.machine}
	if f.links, err = readLinks(h.ns.route); err != nil {
		return nil, err
	}
	f.record = rec.follow(f.links)
	heard, err := readHeard(h.ns)
	if err != nil {
		return nil, err
	}
	users := tapUsers()
	var found []TAPLink
	for _, l := range f.links {
		bridge, _ := f.link(f.linkName(l.master))
		ours := f.ourTAP(l)
		if l.kind != "tun" || !l.tun.tap || !ours && !f.ours(bridge) && !f.adopted(rec.Config, bridge) && bridge.alias != segmentAlias {
			continue
		}
		t := TAPLink{
			Name: l.name, Index: l.index, Bridge: bridge.name, Ours: ours, Owner: l.tun.owner, Group: l.tun.group,
			MultiQueue: l.tun.multiQueue, Used: l.tun.used, Up: l.up, MACs: heard[l.index],
		}
		if p, ok := users[l.name]; ok && l.tun.used {
			t.PID, t.Process = int(p.pid), p.name
		}
		found = append(found, t)
	}
	return found, nil
}

// LinkExists reports whether an interface of this name is there, and whether it is a TAP of ours and somebody has it open.
func (h *Host) LinkExists(name string) (exists, ours, used bool, err error) {
	l, err := findLink(h.ns.route, name)
	if errors.Is(err, errNoLink) {
		return false, false, false, nil
	}
	if err != nil {
		return false, false, false, err
	}
	return true, l.kind == "tun" && l.alias == alias, l.tun.used, nil
}

// readHeard lists the MAC addresses that bridges have learnt, by the index of the port.
func readHeard(ns *namespace) (map[int][]net.HardwareAddr, error) {
	header := make([]byte, unix.SizeofNdMsg)
	header[0] = unix.AF_BRIDGE
	messages, err := dump(ns.route, unix.RTM_GETNEIGH, header)
	if err != nil {
		return nil, err
	}
	heard := map[int][]net.HardwareAddr{}
	for _, m := range messages {
		var mac net.HardwareAddr
		if err := eachAttribute(m.Data, unix.SizeofNdMsg, func(kind uint16, v []byte) {
			if kind == unix.NDA_LLADDR {
				mac = net.HardwareAddr(v)
			}
		}); err != nil {
			return nil, err
		}
		// A device's own address is permanent.
		port, state := int(native32(m.Data[4:])), binary.NativeEndian.Uint16(m.Data[8:])
		if len(mac) == 6 && state&unix.NUD_PERMANENT == 0 {
			heard[port] = append(heard[port], mac)
		}
	}
	return heard, nil
}

// tapUsers is which process has which TAP open, by the device's name: of the processes that can be looked into and are in the caller's
// network namespace, since others have devices of the same names.
func tapUsers() map[string]process {
	users := map[string]process{}
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return users
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return users
	}
	for _, e := range entries {
		pid, err := strconv.ParseUint(e.Name(), 10, 32)
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		if there, err := os.Readlink(dir + "/ns/net"); err != nil || there != here {
			continue
		}
		for _, name := range openTAPs(dir) {
			comm, _ := os.ReadFile(dir + "/comm")
			users[name] = process{pid: uint32(pid), name: strings.TrimSpace(string(comm))}
		}
	}
	return users
}

// openTAPs is the TAPs that a process has open.
func openTAPs(dir string) []string {
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return nil
	}
	var names []string
	for _, fd := range fds {
		if target, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err != nil || target != tunDevice {
			continue
		}
		info, err := os.ReadFile(filepath.Join(dir, "fdinfo", fd.Name()))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(info)) {
			if name, ok := strings.CutPrefix(line, "iff:"); ok {
				names = append(names, strings.TrimSpace(name))
			}
		}
	}
	return names
}

// GuestMAC is a MAC address for the guest of a TAP: the same on every run of a machine, in the range that QEMU's own addresses have. try tells one from
// the next where an address is taken.
func (h *Host) GuestMAC(network, name string, try int) net.HardwareAddr {
	return guestMAC(h.ns.machine, network, name, try)
}

func guestMAC(machine, network, name string, try int) net.HardwareAddr {
	sum := sha256.Sum256([]byte("labnet guest\x00" + machine + "\x00" + network + "\x00" + name + "\x00" + strconv.Itoa(try)))
	return append(net.HardwareAddr{0x52, 0x54, 0x00}, sum[:3]...)
}
