package netcfg

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"slices"
	"strconv"
)

// TAP is a persistent TAP device, the host's end of a virtual machine's network card. It is made, kept on its network's bridge
// and removed like everything else of ours.
type TAP struct {
	Name string // interface name, at most 15 bytes

	// Owner and Group are who may open it besides root, each by name or number. Given both, the kernel asks for both; given neither, it
	// is root's alone.
	Owner, Group string

	MultiQueue bool // it may be opened several times, a queue each
	VnetHdr    bool // born with virtio headers; whoever opens it by name decides for himself

	// Guest is the MAC address that its guest has, zero for any. Under a strict guard it has no other, and no other port has it.
	Guest MAC `json:",omitzero"`
}

// maxTAPMTU is the kernel's: an Ethernet header is counted with the packet (drivers/net/tun.c).
const maxTAPMTU = 65535 - 14

// nobody is the owner or group of a TAP that has none.
const nobody = -1

// tap is what we manage of a TAP device. On which bridge it is is said by the ports.
type tap struct {
	owner, group int64 // user and group id, or nobody
	multiQueue   bool
	vnetHdr      bool // at birth only: it is reset by each who opens the device, and so never compared
	mtu          int
	marked       bool // has our alias
	up           bool
}

// fixed is the part of a TAP that it has from its birth on: the kernel takes an owner away from none.
func (t tap) fixed() tap { return tap{owner: t.owner, group: t.group, multiQueue: t.multiQueue} }

// tun is what the kernel says of a TUN or TAP device.
type tun struct {
	tap          bool // Ethernet frames, not IP packets
	owner, group int64
	multiQueue   bool
	persistent   bool // stays when nobody has it open
	used         bool // somebody has it open
}

// completeTAPs says what no host could carry of a home's TAPs.
func (p tapHome) completeTAPs(all []tapHome) error {
	for i, t := range p.taps {
		switch {
		case !named(t.Name, 15, "-."):
			return fmt.Errorf("%q can't name a TAP: up to 15 letters, digits, dots, - and _", t.Name)
		case t.Name == "all" || t.Name == "default" || t.Name == "lo":
			return fmt.Errorf("a TAP can't be named %q: the kernel uses that name itself", t.Name)
		case slices.ContainsFunc(p.taps[:i], func(other TAP) bool { return other.Name == t.Name }):
			return fmt.Errorf("there are two TAPs named %s", t.Name)
		}
		for _, other := range all {
			switch {
			case other.bridge == t.Name:
				return fmt.Errorf("the TAP %s has the name of a bridge", t.Name)
			case other.uplink == t.Name:
				return fmt.Errorf("the TAP %s has the name of an uplink", t.Name)
			case other.network != p.network && slices.ContainsFunc(other.taps, func(o TAP) bool { return o.Name == t.Name }):
				return fmt.Errorf("the TAP %s is of network %q too", t.Name, other.network)
			}
		}
	}
	return nil
}

// accounts are the users and groups that TAPs name, as this host knows them.
type accounts struct{ users, groups map[string]int64 }

// lookUpAccounts looks for those of a configuration; whom the host doesn't know is left out.
func lookUpAccounts(cfg Config) (accounts, error) {
	a := accounts{map[string]int64{}, map[string]int64{}}
	for _, p := range cfg.tapHomes() {
		for _, t := range p.taps {
			if err := a.add(a.users, t.Owner, userID); err != nil {
				return a, err
			}
			if err := a.add(a.groups, t.Group, groupID); err != nil {
				return a, err
			}
		}
	}
	return a, nil
}

func (a accounts) add(to map[string]int64, name string, find func(string) (string, error)) error {
	if _, known := to[name]; known || name == "" {
		return nil
	}
	number := name
	if _, err := strconv.ParseUint(name, 10, 32); err != nil {
		number, err = find(name)
		switch {
		case name == "root":
			number = "0" // also where there are no files of accounts, as in small containers
		case errors.As(err, new(user.UnknownUserError)), errors.As(err, new(user.UnknownGroupError)), errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return fmt.Errorf("looking for the account %s: %w", name, err)
		}
	}
	id, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return fmt.Errorf("looking for the account %s: its number is %q", name, number)
	}
	to[name] = int64(id)
	return nil
}

func userID(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupID(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// of returns who may open a TAP, and whether the host knows them.
func (a accounts) of(t TAP) (owner, group int64, ok bool) {
	owner, group = nobody, nobody
	if t.Owner == "" && t.Group == "" {
		// A persistent TAP without owner and group could be opened by everybody.
		return 0, nobody, true
	}
	ok = true
	if t.Owner != "" {
		owner, ok = a.users[t.Owner]
	}
	if t.Group != "" && ok {
		group, ok = a.groups[t.Group]
	}
	return owner, group, ok
}

// wantTAPs adds the TAPs of a configuration, and their places on the bridges. One that can't be made, since another link has its
// name or nobody knows its owner, is left out, so that all else is kept in order: a Problem says so.
func (f *facts) wantTAPs(cfg Config, s *state) {
	for _, p := range cfg.tapHomes() {
		mtu, ready := f.ready(cfg, p)
		for _, t := range p.taps {
			l, there := f.link(t.Name)
			if there && !f.ourTAP(l) {
				continue
			}
			owner, group, known := f.accounts.of(t)
			want := tap{
				owner: owner, group: group, multiQueue: t.MultiQueue, vnetHdr: t.VnetHdr,
				mtu: min(mtu, maxTAPMTU), marked: true, up: ready,
			}
			switch {
			case !known && !there:
				continue
			case there && (!known || l.tun.used):
				// It stays as it is while a machine runs on it.
				want.owner, want.group, want.multiQueue = l.tun.owner, l.tun.group, l.tun.multiQueue
			}
			s.taps[t.Name] = want
			if ready {
				s.ports[t.Name] = port{bridge: p.bridge, isolated: cfg.isolates(p.bridge)}
			}
		}
	}
}

// ourTAP reports whether a link is a TAP of ours: it has our mark or, its mark overwritten by someone's description, is recorded and on
// its bridge, or waits for one.
func (f *facts) ourTAP(l link) bool {
	if l.kind != "tun" || !l.tun.tap {
		return false
	}
	if l.alias == alias {
		return true
	}
	p, recorded := f.record.Config.homeOf(l.name)
	return recorded && l.tun.persistent && (f.linkName(l.master) == p.bridge || p.waits() && l.master == 0)
}

// haveTAPs adds the TAPs of ours.
func (f *facts) haveTAPs(s *state) {
	for _, l := range f.links {
		if f.ourTAP(l) {
			s.taps[l.name] = tap{
				owner: l.tun.owner, group: l.tun.group, multiQueue: l.tun.multiQueue,
				mtu: l.mtu, marked: l.alias == alias, up: l.up,
			}
			s.indexes[l.name] = l.index
		}
	}
}

// tapProblems are links that stand in the way of a TAP, and accounts that nobody knows.
func tapProblems(cfg Config, f *facts) []Problem {
	var problems []Problem
	for _, p := range cfg.tapHomes() {
		add := func(remedy, format string, args ...any) {
			problems = append(problems, Problem{Network: p.network, Fatal: true, Summary: fmt.Sprintf(format, args...), Remedy: remedy})
		}
		for _, t := range p.taps {
			owner, group, known := f.accounts.of(t)
			if !known {
				for _, account := range []struct {
					kind, name string
					all        map[string]int64
				}{{"user", t.Owner, f.accounts.users}, {"group", t.Group, f.accounts.groups}} {
					if _, ok := account.all[account.name]; account.name != "" && !ok {
						add("make it, or name another one", "the TAP %s is for the %s %s, which this host doesn't know", t.Name, account.kind, account.name)
					}
				}
				continue
			}
			l, there := f.link(t.Name)
			switch {
			case !there:
			case !f.ourTAP(l):
				add(fmt.Sprintf("name the TAP otherwise, or remove that link: ip link del %s", t.Name),
					"there is already a link %s (%s) that isn't labnet's", t.Name, describeLink(l))
			case l.tun.used && (tap{owner: owner, group: group, multiQueue: t.MultiQueue}) != (tap{owner: l.tun.owner, group: l.tun.group, multiQueue: l.tun.multiQueue}):
				add("end what uses it, and try again", "the TAP %s is in use%s, and is of %s instead of %s", t.Name, usersOf(t.Name),
					describeTAP(l.tun.owner, l.tun.group, l.tun.multiQueue), describeTAP(owner, group, t.MultiQueue))
			}
		}
	}
	return problems
}

func describeLink(l link) string {
	switch {
	case l.kind == "tun" && l.tun.tap:
		text := "a TAP of " + describeTAP(l.tun.owner, l.tun.group, l.tun.multiQueue)
		if !l.tun.persistent {
			text += ", which its program made"
		}
		return text + usersOf(l.name)
	case l.kind != "":
		return l.kind
	}
	return "device"
}

// describeTAP is what a TAP has from its birth on, for people.
func describeTAP(owner, group int64, multiQueue bool) string {
	text := "anybody"
	switch {
	case owner != nobody && group != nobody:
		text = fmt.Sprintf("user %d in group %d", owner, group)
	case owner != nobody:
		text = fmt.Sprintf("user %d", owner)
	case group != nobody:
		text = fmt.Sprintf("group %d", group)
	}
	if multiQueue {
		text += ", with several queues"
	}
	return text
}

// usersOf names who has a TAP open: " by qemu (pid 12)", or "" if that can't be seen.
func usersOf(name string) string {
	if p, ok := tapUsers()[name]; ok {
		return " by " + p.String()
	}
	return ""
}
