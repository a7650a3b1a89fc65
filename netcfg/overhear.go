package netcfg

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// What another DHCP server tells clients is kept from them, and shown to whoever calls Overhear: the rules hand it to a group of netfilter's
// log. A packet socket on the bridge would be shown every IP packet of every guest, and deciding that it is none takes the kernel a tenth
// of the time that forwarding it does (measured).

const (
	// overheardGroup is the log's group, of which a namespace has 65,536; only one program may listen to each.
	overheardGroup = 0x6c6e
	// Of one network. A server is as well noticed by every tenth of its messages.
	overheardRate  = 20
	overheardBurst = 40
	// overheardLen is as much of a packet as is shown.
	overheardLen = 1500
)

// overheard are the rules that show what a DHCP server tells a client, and let it go on.
func overheard(n Network, f family) []rule {
	if !n.DHCP {
		return nil
	}
	return []rule{newRule(f, "shown to labnet", l4proto(unix.IPPROTO_UDP), sport(67), dport(68), part{
		&expr.Limit{Type: expr.LimitTypePkts, Rate: overheardRate, Unit: expr.LimitTimeSecond, Burst: overheardBurst},
		&expr.Log{
			Key:   1<<unix.NFTA_LOG_GROUP | 1<<unix.NFTA_LOG_PREFIX | 1<<unix.NFTA_LOG_SNAPLEN,
			Group: overheardGroup, Snaplen: overheardLen, Data: []byte(n.Name),
		},
	})}
}

// Messages and attributes of uapi/linux/netfilter/nfnetlink_log.h.
const (
	nfulnlPacket = unix.NFNL_SUBSYS_ULOG << 8 // NFULNL_MSG_PACKET is 0
	nfulnlConfig = unix.NFNL_SUBSYS_ULOG<<8 | 1

	nfulaConfigCommand   = 1
	nfulaConfigMode      = 2
	nfulaConfigThreshold = 5

	nfulnlBind        = 1
	nfulnlCopyPackets = 2

	nfulaPayload  = 9
	nfulaPrefix   = 10
	nfulaHWHeader = 16
)

// Overhear calls hear with what other DHCP servers tell clients on the bridges of networks with DHCP, as Ethernet frames, until ctx ends. A frame is
// valid until hear returns. Where netfilter's log can't be listened to, that is logged once, and tried again. It may be called once at a time.
func (h *Host) Overhear(ctx context.Context, hear func(network string, frame []byte)) error {
	const patience = 3 // a former labnet may still listen
	for failed := 0; ctx.Err() == nil; {
		conn, err := h.openOverhearing()
		if err == nil {
			began := time.Now()
			err = receive(ctx, conn, func(m netlink.Message) error {
				if uint16(m.Header.Type) != nfulnlPacket {
					return nil
				}
				network, frame, err := readShown(m)
				if err == nil && frame != nil {
					hear(network, frame)
				}
				return err
			})
			err = errors.Join(err, conn.Close())
			if time.Since(began) > time.Minute {
				failed = 0
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if failed++; failed == patience {
			h.log.Warn("other DHCP servers on the bridges go unnoticed", "err", err)
		}
		pause(ctx, time.Second)
	}
	return nil
}

func (h *Host) openOverhearing() (conn *netlink.Conn, err error) {
	if err := h.ns.inside(func() error { conn, err = netlink.Dial(unix.NETLINK_NETFILTER, nil); return err }); err != nil {
		return nil, err
	}
	header := binary.BigEndian.AppendUint16([]byte{unix.AF_UNSPEC, unix.NFNETLINK_V0}, overheardGroup)
	for _, a := range []netlink.Attribute{
		attr(nfulaConfigCommand, []byte{nfulnlBind}),
		attr(nfulaConfigMode, append(binary.BigEndian.AppendUint32(nil, overheardLen), nfulnlCopyPackets, 0)),
		attrBig32(nfulaConfigThreshold, 1), // at once
	} {
		_, err := conn.Execute(netlink.Message{
			Header: netlink.Header{Type: nfulnlConfig, Flags: netlink.Request | netlink.Acknowledge},
			Data:   append(header[:4:4], attributes(a)...),
		})
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EPERM) { // the second is what the kernel says (nfulnl_recv_config)
			err = fmt.Errorf("another program listens to it: %w", err)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listening to group %d of netfilter's log: %w", overheardGroup, err), conn.Close())
		}
	}
	// What doesn't fit is a server's that is noticed by the rest.
	if err := conn.SetOption(netlink.NoENOBUFS, true); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// readShown reads what is in a message of the log: the network that it is of, and the Ethernet frame, if there is one.
func readShown(m netlink.Message) (network string, frame []byte, err error) {
	var ethernet, packet []byte
	err = eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
		switch kind {
		case nfulaPrefix:
			network = text(v)
		case nfulaHWHeader:
			ethernet = v
		case nfulaPayload:
			packet = v
		}
	})
	const etherLen = 14
	if len(ethernet) < etherLen {
		return network, nil, err
	}
	return network, append(ethernet[:etherLen:etherLen], packet...), err
}
