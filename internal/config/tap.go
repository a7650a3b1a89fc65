package config

import (
	"errors"
	"fmt"
	"os/user"
	"path"
	"slices"
	"strconv"
)

// TAP is a TAP device that is made for a guest.
type TAP struct {
	Name         string // interface name
	Owner, Group string // by name or number; neither: root
	Host         string // the host block of its guest; "" for none
	MAC          string // of the guest, raw bytes; "": derived from the name
	MultiQueue   bool
	VnetHdr      bool
}

func tapBlock() *block {
	return &block{
		name: "tap", many: true,
		label: &label{doc: "The name is the interface's, at most 15 bytes.", example: "tap-builder"},
		doc: "A TAP device for a virtual machine, made and plugged into the bridge before the machine starts, so that its program needs no privilege. " +
			"`labnet taps args NAME` prints what QEMU is to be told. In a bridged network it waits, down, while there is no bridge.",
		args: []argument{
			{
				name: "owner", kind: account(), computed: "root, if there is no `group` either", example: `"root"`,
				doc: "the user who may open it, by name or number",
			},
			{
				name: "group", kind: account(), example: `"root"`,
				doc: "the group whose members may open it; with an owner too, the kernel asks for both",
			},
			{
				name: "host", kind: hostLabel(), example: `"builder"`,
				doc: "the `host` block of the machine behind it, whose MAC address it is to have",
			},
			{
				name: "mac", kind: macAddress(), computed: "the host's, or one made of the name", example: `"52:54:00:12:34:56"`,
				doc: "the MAC address that the machine is to have, in place of a host's",
			},
			{
				name: "multi_queue", kind: boolean(), fallback: "false", example: "true",
				doc: "whether the machine may have several queues, for more than one processor",
			},
			{
				name: "vnet_hdr", kind: boolean(), fallback: "true", example: "false",
				doc: "whether `labnet taps run` hands the device over with virtio headers before the frames, as QEMU and other hypervisors take them for speed. " +
					"Who opens it by name decides by itself",
			},
		},
	}
}

// account is a user's or a group's name or number.
func account() kind {
	return ofText("account", func(s string) (any, error) {
		if n, err := strconv.ParseUint(s, 10, 64); err == nil && n >= 1<<32-1 {
			return nil, faultf("Numbers go up to 4294967294.", "%q is no account's number", s)
		}
		for _, c := range s {
			if c <= ' ' || c == ':' || c == '/' || c > '~' {
				return nil, faultf("Write the name as `id` prints it, or the number.", "the account %q has %q in it", s, c)
			}
		}
		if s == "" {
			return nil, faultf("Leave the argument out.", "the account is empty")
		}
		return s, nil
	})
}

func topTAPBlock() *block {
	top := tapBlock()
	top.doc += " At the top level `network` says where it belongs."
	top.args = append([]argument{{
		name: "network", kind: label63(), required: true,
		doc: "the network that it belongs to", example: `"lab"`,
	}}, top.args...)
	top.needs = append([]string{"network"}, top.needs...)
	return top
}

// tapParts are a TAP's node and network.
type tapParts struct {
	node    *node
	network *networkParts
}

// taps reads the TAPs of all networks, and finds what is wrong with them: networks must be complete but for theirs.
func (b *builder) taps(root *node) {
	var all []tapParts
	names := make([]string, len(b.networks))
	for i, p := range b.networks {
		names[i] = p.Name
		for _, n := range p.node.blocks["tap"] {
			all = append(all, tapParts{n, p})
		}
	}
	for _, n := range root.blocks["tap"] {
		name := get[string](n, "network")
		at := slices.Index(names, name)
		if at < 0 {
			if name != "" {
				b.error(n, n.at("network"), fmt.Sprintf("there is no network %q", name), didYouMean(name, names))
			}
			continue
		}
		all = append(all, tapParts{n, b.networks[at]})
	}
	links := &claims{b: b, taken: map[string]claim{}}
	for _, p := range b.networks {
		if p.Bridge.Name != "" {
			links.taken[p.Bridge.Name] = claim{fmt.Sprintf("the bridge of network %q", p.Name), p.ifaceAt}
		}
		if p.Uplink.Interface != "auto" && p.Uplink.Interface != "" {
			links.taken[p.Uplink.Interface] = claim{fmt.Sprintf("the uplink of network %q", p.Name), p.uplink.at("interface")}
		}
	}
	macs := &claims{b: b, taken: map[string]claim{}}
	for _, t := range all {
		t.network.TAPs = append(t.network.TAPs, b.tap(t, links, macs))
	}
}

func (b *builder) tap(t tapParts, links, macs *claims) TAP {
	n := t.node
	out := TAP{
		Name:       n.label,
		Owner:      get[string](n, "owner"),
		Group:      get[string](n, "group"),
		Host:       get[string](n, "host"),
		MAC:        get[string](n, "mac"),
		MultiQueue: get[bool](n, "multi_queue"),
		VnetHdr:    get[bool](n, "vnet_hdr"),
	}
	owner := fmt.Sprintf("tap %q", n.label)
	if err := checkInterfaceName(n.label); err != nil {
		b.fault(n, n.name, err)
	} else if links.take(n, n.label, owner, n.name, fmt.Sprintf("the interface name %q is used twice", n.label), "Each link of a host has a name of its own.") {
		b.checkAttach(t)
	}
	b.tapHost(t, &out, owner, macs)
	b.checkAccount(n, "owner", out.Owner, func(name string) error { _, err := user.Lookup(name); return err })
	b.checkAccount(n, "group", out.Group, func(name string) error { _, err := user.LookupGroup(name); return err })
	return out
}

// tapHost finds the host of a TAP, and its guest's MAC.
func (b *builder) tapHost(t tapParts, out *TAP, owner string, macs *claims) {
	n := t.node
	if n.has("host") && n.has("mac") {
		b.error(n, n.at("mac"), "a TAP has its guest's MAC address from its host or from here, not from both", "Leave one of them out.", here(n.at("host"), "the host"))
		return
	}
	at := n.at("mac")
	if out.Host != "" {
		at = n.at("host")
		if t.network.Mode == "bridged" {
			b.error(n, at, "a bridged network has no hosts", `Say which MAC address the machine is to have: mac = "52:54:00:12:34:56".`)
			return
		}
		hosts := t.network.Hosts
		i := slices.IndexFunc(hosts, func(h Host) bool { return h.Name == out.Host })
		if i < 0 {
			names := make([]string, len(hosts))
			for i, h := range hosts {
				names[i] = h.Name
			}
			b.error(n, at, fmt.Sprintf("network %q has no host %q", t.network.Name, out.Host), didYouMean(out.Host, names))
			return
		}
		if out.MAC = hosts[i].MAC; out.MAC == "" {
			b.error(n, at, fmt.Sprintf("the host %q has no mac that this TAP's guest could have", out.Host),
				"Give the host its mac instead of client_id or hostname, or the TAP one and no host.", here(t.network.hosts[i].name, "the host"))
			return
		}
	}
	if out.MAC != "" {
		macs.take(n, t.network.Name+" "+out.MAC, owner, at, fmt.Sprintf("the MAC address %s belongs to two TAPs", macText(out.MAC)),
			"Two machines of a network with one address keep each other from working.")
	}
}

// checkAttach warns of a TAP whose name another network's pattern matches.
func (b *builder) checkAttach(t tapParts) {
	for _, p := range b.networks {
		for _, e := range p.bridge.elems("attach") {
			pattern := e.v.(string)
			if matched, _ := path.Match(pattern, t.node.label); matched && p != t.network {
				b.warn(t.node, t.node.name, fmt.Sprintf("the pattern %q of network %q matches this TAP, which stays in network %q", pattern, p.Name, t.network.Name),
					"Name it otherwise, so that nobody takes it for the other network's.", here(e.at, "the pattern"))
			}
		}
	}
}

// checkAccount warns of an account that this host doesn't know; where files aren't looked for, it may be for another host.
func (b *builder) checkAccount(n *node, argument, name string, find func(string) error) {
	if name == "" || b.look == nil {
		return
	}
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return
	}
	if err := find(name); name != "root" && errors.As(err, new(user.UnknownUserError)) || errors.As(err, new(user.UnknownGroupError)) {
		b.warn(n, n.at(argument), fmt.Sprintf("this host knows no %s %q", map[string]string{"owner": "user", "group": "group"}[argument], name),
			"labnet does not start where it is unknown. Make the account first, or write its number.")
	}
}
