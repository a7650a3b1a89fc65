package netcfg

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strconv"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Publish is a range of ports of the host that leads to a guest: for whoever reaches the host, also from a guest, the published one among
// them, and from the host itself, though not by 127.0.0.0/8.
type Publish struct {
	Name     string     // for messages
	TCP, UDP bool       // at least one
	Address  netip.Addr `json:",omitzero"` // of the host; invalid: every one
	Listen   uint16     // the first port
	Port     uint16     // the guest's first one
	Count    uint16     // of ports, at least 1
	Target   netip.Addr `json:",omitzero"` // the guest's address; invalid: whatever SetGuests says of the name Guest
	Guest    string     `json:",omitempty"`
}

// completePublish says what no host could publish.
func (n *Network) completePublish() error {
	for _, p := range n.Publish {
		switch {
		case !p.TCP && !p.UDP:
			return fmt.Errorf("publish %q: neither TCP nor UDP", p.Name)
		case p.Count == 0 || p.Listen == 0 || p.Port == 0 || int(p.Listen)+int(p.Count) > 1<<16 || int(p.Port)+int(p.Count) > 1<<16:
			return fmt.Errorf("publish %q: its ports are outside 1 to 65535", p.Name)
		case !p.Target.IsValid() && p.Guest == "":
			return fmt.Errorf("publish %q: it leads nowhere", p.Name)
		case p.Target.IsValid() && !n.onLink(p.Target):
			return fmt.Errorf("publish %q: %s is no guest of %s", p.Name, p.Target, n.Address.Masked())
		case p.Address.IsValid() && (!p.Address.Is4() || p.Address.IsUnspecified() || p.Address.IsLoopback()):
			return fmt.Errorf("publish %q: %s is no address to publish on", p.Name, p.Address)
		}
	}
	return nil
}

// completePublishes finds ports that would lead to two guests.
func (cfg Config) completePublishes() error {
	var taken []Publish
	for _, n := range cfg.Networks {
		for _, p := range n.Publish {
			for _, q := range taken {
				apart := p.Address.IsValid() && q.Address.IsValid() && p.Address != q.Address || !(p.TCP && q.TCP || p.UDP && q.UDP)
				if !apart && int(p.Listen) < int(q.Listen)+int(q.Count) && int(q.Listen) < int(p.Listen)+int(p.Count) {
					return fmt.Errorf("network %q: publish %q and %q have ports in common", n.Name, q.Name, p.Name)
				}
			}
			taken = append(taken, p)
		}
	}
	return nil
}

func (cfg Config) publishes() bool {
	return slices.ContainsFunc(cfg.Networks, func(n Network) bool { return len(n.Publish) > 0 })
}

// The maps of published ports: those of every address of the host, and those of one; each has a second one for guests whose address
// follows their lease. The others are sets of the guests' addresses.
const (
	published         = "published"
	publishedAt       = "published_at"
	publishedLeased   = "published_leased"
	publishedAtLeased = "published_at_leased"

	publishedGuests       = "published_guests"
	publishedGuestsLeased = "published_guests_leased"
)

// elements are the entries of the maps for a guest at an address, by the map that is for every address and the one that is for a single one.
func (p Publish) elements(every, one string, to netip.Addr) iter.Seq2[string, [2]string] {
	return func(yield func(string, [2]string) bool) {
		for i := range int(p.Count) {
			for proto, on := range map[string]bool{"tcp": p.TCP, "udp": p.UDP} {
				if !on {
					continue
				}
				in, key := every, proto+between+strconv.Itoa(int(p.Listen)+i)
				if p.Address.IsValid() {
					in, key = one, p.Address.String()+between+key
				}
				if !yield(in, [2]string{key, to.String() + between + strconv.Itoa(int(p.Port)+i)}) {
					return
				}
			}
		}
	}
}

// addPublishing makes what leads to guests from outside. A connection is translated once, at its first packet.
func (t *table) addPublishing(cfg Config, f *facts) {
	if !cfg.publishes() {
		return
	}
	target := concat(keyIPv4, keyService)
	for name, key := range map[string]keyType{
		published: concat(keyProto, keyService), publishedLeased: concat(keyProto, keyService),
		publishedAt: concat(keyIPv4, keyProto, keyService), publishedAtLeased: concat(keyIPv4, keyProto, keyService),
	} {
		t.sets[name] = set{key: key, value: target, elements: map[string]string{}}
	}
	for _, name := range []string{publishedLeased, publishedAtLeased} {
		t.follow(f, inetTable, name)
	}
	t.chains["publish_in"] = hooked("nat", hookPrerouting, priorityDstNAT,
		inet("", ip4Proto, addressedToHost(), leadTo("publish")))
	t.chains["publish_out"] = hooked("nat", hookOutput, priorityDstNAT,
		// What comes from 127.0.0.1 could only be answered if the kernel took such addresses from the network (route_localnet).
		inet("", ip4Proto, daddr4(loopback4), ret()),
		inet("", ip4Proto, addressedToHost(), leadTo("publish")))
	t.chains["publish"] = chain{rules: []rule{
		inet("", ip4Proto, dnatTo(publishedAt, true)),
		inet("", ip4Proto, dnatTo(publishedAtLeased, true)),
		inet("", ip4Proto, dnatTo(published, false)),
		inet("", ip4Proto, dnatTo(publishedLeased, false)),
	}}
	// A guest that calls another one of its own network would be answered directly, by an address that it didn't call.
	var back []rule
	for _, n := range cfg.Networks {
		for _, p := range n.Publish {
			if p.Target.IsValid() {
				for in, e := range p.elements(published, publishedAt, p.Target) {
					t.add(in, e[0], e[1])
				}
			}
		}
		if len(n.Publish) > 0 {
			for _, subnet := range n.reach() {
				back = append(back, inet("", oifname(n.Bridge), ip4Proto, saddr4(subnet), ctDNAT(), snat(n.Address.Addr())))
			}
		}
	}
	t.chains["publish_back"] = chain{rules: back}
	postrouting := t.chains["postrouting"]
	postrouting.rules = slices.Insert(postrouting.rules, 1, inet("", oifnameIn("bridges"), leadTo("publish_back")))
	t.chains["postrouting"] = postrouting
	// The host would tell who calls that the guest is nearer, and in the same words that whatever else the called address has is there too.
	output := t.chains["output"]
	output.rules = append(slices.Clone(output.rules), inet("no redirects to guests", ip4Proto, l4proto(unix.IPPROTO_ICMP), icmpType(5), oifnameIn("bridges"), drop()))
	t.chains["output"] = output
}

// letPublished lets guests reach what is published, in other networks too: to those they are as good as the LAN.
func letPublished(cfg Config, rules []rule) []rule {
	if !cfg.publishes() {
		return rules
	}
	return slices.Insert(rules, 1, inet("published", ctDNAT(), oifnameIn("bridges"), accept()))
}

var loopback4 = netip.MustParsePrefix("127.0.0.0/8")

// addressedToHost matches packets to an address of the host.
func addressedToHost() part {
	return part{
		&expr.Fib{Register: 1, ResultADDRTYPE: true, FlagDADDR: true},
		eq(binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)),
	}
}

// The registers of four bytes overlap those of sixteen: these begin where the first of those does.
const (
	reg4 = unix.NFT_REG32_00
	reg1 = unix.NFT_REG_1
)

// dnatTo translates the destination by a map of protocol and port, at one address or any.
func dnatTo(set string, address bool) part {
	var p part
	register := uint32(reg4)
	load := func(at func(register uint32) expr.Any) {
		if register == reg4 {
			p = append(p, at(reg1))
		} else {
			p = append(p, at(register))
		}
		register++
	}
	if address {
		load(func(r uint32) expr.Any {
			return &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: r, Base: expr.PayloadBaseNetworkHeader, Offset: daddrOffset, Len: 4}
		})
	}
	load(func(r uint32) expr.Any { return &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: r} })
	load(func(r uint32) expr.Any {
		return &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: r, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
	})
	return append(p,
		&expr.Lookup{SourceRegister: reg1, DestRegister: reg1, IsDestRegSet: true, SetName: set},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg1, RegProtoMin: reg4 + 1})
}

func snat(to netip.Addr) part {
	return part{
		&expr.Immediate{Register: reg1, Data: to.AsSlice()},
		&expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg1},
	}
}

func icmpType(t byte) part {
	return part{payload(expr.PayloadBaseTransportHeader, 0, 1), eq([]byte{t})}
}
