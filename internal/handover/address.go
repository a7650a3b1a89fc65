package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// forever is the lifetime of an address that stays.
const forever = ^uint32(0)

// address is an IPv4 or IPv6 address of a link.
type address struct{ entry }

func (c conn) addresses() ([]address, error) {
	messages, err := c.dump(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return nil, fmt.Errorf("listing addresses: %w", err)
	}
	var out []address
	for _, m := range messages {
		e, err := parse(m.Data, unix.SizeofIfAddrmsg)
		if err != nil {
			return nil, err
		}
		out = append(out, address{e})
	}
	return out, nil
}

// addressesOf are a link's.
func (c conn) addressesOf(l link) ([]address, error) {
	all, err := c.addresses()
	return slices.DeleteFunc(all, func(a address) bool { return a.link() != l.index }), err
}

func (a address) link() int { return int(native32(a.header[4:])) }
func (a address) is4() bool { return a.header[0] == unix.AF_INET }

func (a address) flags() uint32 {
	if v := a.get(unix.IFA_FLAGS); v != nil {
		return native32(v)
	}
	return uint32(a.header[2])
}

// prefix is the address with the length of its subnet.
func (a address) prefix() netip.Prefix {
	local := a.get(unix.IFA_LOCAL)
	if local == nil {
		local = a.get(unix.IFA_ADDRESS)
	}
	addr, _ := netip.AddrFromSlice(local)
	return netip.PrefixFrom(addr, int(a.header[1]))
}

// valid is for how many seconds the address is, forever for one that stays.
func (a address) valid() uint32 {
	if info := a.get(unix.IFA_CACHEINFO); len(info) >= 8 {
		return native32(info[4:])
	}
	return forever
}

// temporary reports a privacy address (RFC 8981), which the kernel alone can make.
func (a address) temporary() bool { return !a.is4() && a.flags()&unix.IFA_F_TEMPORARY != 0 }

// linkLocal reports an IPv6 address that the kernel makes by itself.
func (a address) linkLocal() bool { return !a.is4() && a.prefix().Addr().IsLinkLocalUnicast() }

// Flags that can be set; the others are the kernel's own account.
const (
	settable4 = unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN
	settable6 = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR | unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN
)

// request is the address as it is asked for, on another link or on its own, so many seconds after it was read. ok is false for
// one whose time is over.
func (a address) request(index int, from, to string, elapsed uint32) (out entry, ok bool) {
	out = a.with(unix.IFA_CACHEINFO, nil)
	binary.NativeEndian.PutUint32(out.header[4:], uint32(index))
	flags := a.flags() & settable6
	if a.is4() {
		flags = a.flags() & settable4
		if label := text(a.get(unix.IFA_LABEL)); label != "" {
			out = out.with(unix.IFA_LABEL, name(relabel(label, from, to)))
		}
	}
	out.header[2] = byte(flags)
	out = out.with(unix.IFA_FLAGS, put32(flags))
	left, ok := a.aged(elapsed)
	if ok && left.valid() != forever {
		out = out.with(unix.IFA_CACHEINFO, left.get(unix.IFA_CACHEINFO))
	}
	return out, ok
}

// aged is the address so many seconds later; ok is false for one whose time is over.
func (a address) aged(elapsed uint32) (out address, ok bool) {
	info := a.get(unix.IFA_CACHEINFO)
	if len(info) < 8 || native32(info[4:]) == forever {
		return a, true
	}
	preferred, valid := native32(info), native32(info[4:])
	if valid <= elapsed {
		return a, false
	}
	if preferred != forever {
		preferred -= min(preferred, elapsed)
	}
	return address{a.with(unix.IFA_CACHEINFO, slices.Concat(put32(preferred), put32(valid-elapsed), make([]byte, 8)))}, true
}

// relabel keeps the part of an address's label that follows its link's name, as far as there is room.
func relabel(label, from, to string) string {
	rest, ok := strings.CutPrefix(label, from)
	if !ok || len(to+rest) >= unix.IFNAMSIZ {
		return to
	}
	return to + rest
}

// addAddress makes an address; one that is there already stays as it is.
func (c conn) addAddress(a address, index int, from, to string, elapsed uint32) error {
	request, ok := a.request(index, from, to, elapsed)
	if !ok {
		return nil
	}
	err := c.do(unix.RTM_NEWADDR, netlink.Create|netlink.Excl, request.bytes())
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("adding %v to %s: %w", a.prefix(), to, err)
	}
	return nil
}

func (c conn) delAddress(a address, index int) error {
	e := entry{slices.Clone(a.header), nil}
	binary.NativeEndian.PutUint32(e.header[4:], uint32(index))
	e = e.with(unix.IFA_LOCAL, a.prefix().Addr().AsSlice())
	if peer := a.get(unix.IFA_ADDRESS); peer != nil {
		e = e.with(unix.IFA_ADDRESS, peer)
	}
	err := c.do(unix.RTM_DELADDR, 0, e.bytes())
	if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("removing %v: %w", a.prefix(), err)
	}
	return nil
}

// static is an IPv4 address as a person would give it.
func static(p netip.Prefix) address {
	e := entry{[]byte{unix.AF_INET, byte(p.Bits()), 0, unix.RT_SCOPE_UNIVERSE, 0, 0, 0, 0}, nil}
	e = e.with(unix.IFA_LOCAL, p.Addr().AsSlice()).with(unix.IFA_ADDRESS, p.Addr().AsSlice())
	if p.Bits() < 31 {
		last := p.Masked().Addr().As4()
		host := binary.BigEndian.Uint32(last[:]) | ^uint32(0)>>p.Bits()
		e = e.with(unix.IFA_BROADCAST, binary.BigEndian.AppendUint32(nil, host))
	}
	return address{e}
}
