package netcfg

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const tunDevice = "/dev/net/tun"

// tunTypeTAP is IFF_TAP as IFLA_TUN_TYPE has it.
const tunTypeTAP = unix.IFF_TAP

func (l *link) readTUN(details []byte) {
	l.tun.owner, l.tun.group = nobody, nobody
	_ = eachAttribute(details, 0, func(kind uint16, v []byte) {
		flag := len(v) > 0 && v[0] != 0
		switch kind {
		case unix.IFLA_TUN_TYPE:
			l.tun.tap = len(v) > 0 && v[0] == tunTypeTAP
		case unix.IFLA_TUN_OWNER:
			l.tun.owner = int64(native32(v))
		case unix.IFLA_TUN_GROUP:
			l.tun.group = int64(native32(v))
		case unix.IFLA_TUN_MULTI_QUEUE:
			l.tun.multiQueue = flag
		case unix.IFLA_TUN_PERSIST:
			l.tun.persistent = flag
		}
	})
}

// changeTAP makes a step of a plan that concerns TAPs.
func (ns *namespace) changeTAP(step []Change) error {
	switch c := step[0].(type) {
	case addTAP:
		return wrap(ns.createTAP(c.name, c.to), "making the TAP %s", c.name)
	case remakeTAP:
		if err := gone(deleteLink(ns.route, c.index)); err != nil {
			return fmt.Errorf("removing the TAP %s, to make it anew: %w", c.name, err)
		}
		return wrap(ns.createTAP(c.name, c.to), "making the TAP %s anew", c.name)
	case setTAP:
		l, err := findLink(ns.route, c.name)
		if err != nil {
			return err
		}
		flags := uint32(0)
		if c.to.up {
			flags = unix.IFF_UP
		}
		return wrap(dressTAP(ns.route, ifinfo(l.index, flags, unix.IFF_UP), c.to), "configuring the TAP %s", c.name)
	case delTAP:
		return wrap(ns.deleteTAPs(step), "removing %s", count(len(step), "TAP"))
	}
	panic(fmt.Sprintf("netcfg: a change of unknown type: %T", step[0]))
}

// createTAP makes a TAP that wasn't there. It becomes persistent as the last thing: one that was made half way goes with its maker.
func (ns *namespace) createTAP(name string, t tap) error {
	return ns.inside(func() (err error) {
		fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV):
			return fmt.Errorf("opening %s: %w; load the module by `modprobe tun`, or give this container the device", tunDevice, err)
		case errors.Is(err, unix.EACCES):
			// Not for want of a capability of the network's.
			return fmt.Errorf("this user may not open %[1]s, which udev lets everybody open, since it does nothing by itself: `chmod 0666 %[1]s` as root", tunDevice)
		case err != nil:
			return fmt.Errorf("opening %s: %w", tunDevice, err)
		}
		defer func() { err = errors.Join(err, unix.Close(fd)) }()
		request, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		request.SetUint16(t.birthFlags() | unix.IFF_TUN_EXCL)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return err
		}
		for _, id := range []struct {
			ioctl uint
			id    int64
		}{{unix.TUNSETOWNER, t.owner}, {unix.TUNSETGROUP, t.group}} {
			if id.id == nobody {
				continue
			}
			if err := unix.IoctlSetInt(fd, id.ioctl, int(id.id)); err != nil {
				return fmt.Errorf("setting who may open it: %w", err)
			}
		}
		if err := dressTAP(ns.route, ifinfo(0, 0, 0), t, attrText(unix.IFLA_IFNAME, name)); err != nil {
			return err
		}
		return unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1)
	})
}

func (t tap) birthFlags() uint16 {
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if t.multiQueue {
		flags |= unix.IFF_MULTI_QUEUE
	}
	if t.vnetHdr {
		flags |= unix.IFF_VNET_HDR
	}
	return flags
}

// dressTAP sets what may change of a TAP, which header or more names.
func dressTAP(conn *netlink.Conn, header []byte, t tap, more ...netlink.Attribute) error {
	return request(conn, unix.RTM_SETLINK, 0, header, append(more,
		attr(unix.IFLA_IFALIAS, []byte(alias)), attrNative32(unix.IFLA_MTU, uint32(t.mtu)))...)
}

// deleteTAPs removes TAPs all at once.
func (ns *namespace) deleteTAPs(step []Change) error {
	if len(step) == 1 {
		return gone(deleteLink(ns.route, step[0].(delTAP).index))
	}
	links, err := readLinks(ns.route)
	if err != nil {
		return err
	}
	indexes := make([]int, len(step))
	for i, c := range step {
		indexes[i] = c.(delTAP).index
	}
	return ns.removeTogether(links, indexes)
}
