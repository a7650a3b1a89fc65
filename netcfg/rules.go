package netcfg

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// part is one match or statement of a rule: expressions of the library, or bytes where it can't say what is meant.
type part []any

// newRule encodes a rule for a family. Each comment is for the person who reads `nft list ruleset`.
func newRule(f family, comment string, parts ...part) rule {
	r := rule{comment: comment}
	digest := sha256.New()
	digest.Write([]byte(comment))
	for _, p := range parts {
		for _, e := range p {
			data, ok := e.([]byte)
			if !ok {
				var err error
				// Encoding fails for no expression that is used here, whatever its values: that would be a bug.
				if data, err = expr.Marshal(byte(f), e.(expr.Any)); err != nil {
					panic("netcfg: encoding a rule: " + err.Error())
				}
			}
			r.exprs = append(r.exprs, data)
			digest.Write(data)
		}
	}
	r.tag = hex.EncodeToString(digest.Sum(nil)[:8])
	return r
}

func eq(data []byte) *expr.Cmp { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }
func ne(data []byte) *expr.Cmp { return &expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: data} }

func meta(key expr.MetaKey) *expr.Meta { return &expr.Meta{Key: key, Register: 1} }

func payload(at expr.PayloadBase, offset, length uint32) *expr.Payload {
	return &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: at, Offset: offset, Len: length}
}

// ifname is an interface's name as the kernel compares it: all 16 bytes.
func ifname(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

func iifname(name string) part    { return part{meta(expr.MetaKeyIIFNAME), eq(ifname(name))} }
func oifname(name string) part    { return part{meta(expr.MetaKeyOIFNAME), eq(ifname(name))} }
func oifnameNot(name string) part { return part{meta(expr.MetaKeyOIFNAME), ne(ifname(name))} }
func iifnameNot(name string) part { return part{meta(expr.MetaKeyIIFNAME), ne(ifname(name))} }

func lookup(set string) *expr.Lookup { return &expr.Lookup{SourceRegister: 1, SetName: set} }

func vmap(set string) *expr.Lookup {
	return &expr.Lookup{SourceRegister: 1, DestRegister: 0, IsDestRegSet: true, SetName: set}
}

func iifnameIn(set string) part   { return part{meta(expr.MetaKeyIIFNAME), lookup(set)} }
func oifnameIn(set string) part   { return part{meta(expr.MetaKeyOIFNAME), lookup(set)} }
func iifnameVmap(set string) part { return part{meta(expr.MetaKeyIIFNAME), vmap(set)} }
func oifnameVmap(set string) part { return part{meta(expr.MetaKeyOIFNAME), vmap(set)} }

// ifnamesIn looks both names up as one key: the second follows the first in the registers.
func ifnamesIn(set string) part {
	return part{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: unix.NFT_REG_1},
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: unix.NFT_REG_2},
		lookup(set),
	}
}

// metaIIFKIND is NFT_META_IIFKIND of uapi/linux/netfilter/nf_tables.h, from Linux 5.1 on.
const metaIIFKIND expr.MetaKey = 26

// iifkind matches what kind of link a packet came in by, as `ip -d link` calls it.
func iifkind(kind string) part { return part{meta(metaIIFKIND), eq(ifname(kind))} }

// overRate matches the packets of each interface that exceed a rate, in packets a second, after a burst. It keeps account in a
// dynamic set.
func overRate(set string, rate uint64, burst uint32) part {
	return part{
		meta(expr.MetaKeyIIFNAME),
		&expr.Dynset{
			SrcRegKey: unix.NFT_REG_1, SetName: set, Operation: unix.NFT_DYNSET_OP_UPDATE,
			Exprs: []expr.Any{&expr.Limit{Type: expr.LimitTypePkts, Rate: rate, Unit: expr.LimitTimeSecond, Burst: burst, Over: true}},
		},
	}
}

func nfproto(proto byte) part { return part{meta(expr.MetaKeyNFPROTO), eq([]byte{proto})} }
func l4proto(proto byte) part { return part{meta(expr.MetaKeyL4PROTO), eq([]byte{proto})} }

func etherType(t uint16) part {
	return part{meta(expr.MetaKeyPROTOCOL), eq(binary.BigEndian.AppendUint16(nil, t))}
}

func sport(p uint16) part {
	return part{payload(expr.PayloadBaseTransportHeader, 0, 2), eq(binary.BigEndian.AppendUint16(nil, p))}
}

// dportOver matches ports beyond one.
func dportOver(p uint16) part {
	return part{
		payload(expr.PayloadBaseTransportHeader, 2, 2),
		&expr.Cmp{Op: expr.CmpOpGt, Register: 1, Data: binary.BigEndian.AppendUint16(nil, p)},
	}
}

func dport(p uint16) part {
	return part{payload(expr.PayloadBaseTransportHeader, 2, 2), eq(binary.BigEndian.AppendUint16(nil, p))}
}

// Offsets of the addresses in an IPv4 header, RFC 791 section 3.1.
const (
	saddrOffset = 12
	daddrOffset = 16
)

// ip4 matches IPv4 packets whose address at an offset of the header is in a prefix.
func ip4(offset uint32, p netip.Prefix) part {
	m := part{payload(expr.PayloadBaseNetworkHeader, offset, 4)}
	if !p.IsSingleIP() {
		m = append(m, masked(p))
	}
	return append(m, eq(p.Masked().Addr().AsSlice()))
}

// masked leaves the network of the address that was loaded.
func masked(p netip.Prefix) expr.Any {
	bits := p.Addr().BitLen()
	return &expr.Bitwise{
		SourceRegister: 1, DestRegister: 1, Len: uint32(bits / 8), Mask: net.CIDRMask(p.Bits(), bits), Xor: make([]byte, bits/8),
	}
}

func saddr4(p netip.Prefix) part { return ip4(saddrOffset, p) }
func daddr4(p netip.Prefix) part { return ip4(daddrOffset, p) }

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func addr4Vmap(offset uint32, set string) part {
	return part{payload(expr.PayloadBaseNetworkHeader, offset, 4), vmap(set)}
}

func saddr6(p netip.Prefix) part {
	return part{payload(expr.PayloadBaseNetworkHeader, 8, 16), masked(p), eq(p.Masked().Addr().AsSlice())}
}

func saddr6Not(p netip.Prefix) part {
	return part{payload(expr.PayloadBaseNetworkHeader, 8, 16), masked(p), ne(p.Masked().Addr().AsSlice())}
}

// bits matches what conntrack says of a packet, if any of the bits is set.
func bits(key expr.CtKey, mask uint32) part {
	return part{
		&expr.Ct{Key: key, Register: 1},
		&expr.Bitwise{
			SourceRegister: 1, DestRegister: 1, Len: 4,
			Mask: binary.NativeEndian.AppendUint32(nil, mask), Xor: make([]byte, 4),
		},
		ne(make([]byte, 4)),
	}
}

func ctState(mask uint32) part { return bits(expr.CtKeySTATE, mask) }

// Bits of a connection's status, uapi/linux/netfilter/nf_conntrack_common.h.
const (
	ipsConfirmed = 1 << 3 // it is in the table
	ipsDstNAT    = 1 << 5
)

func ctStatus(mask uint32) part { return bits(expr.CtKeySTATUS, mask) }

// ctDNAT matches connections whose destination someone translated.
func ctDNAT() part { return ctStatus(ipsDstNAT) }

// noRouteBack matches packets whose source isn't routed over the interface that they came in by.
func noRouteBack() part {
	return part{
		&expr.Fib{Register: 1, ResultOIF: true, FlagSADDR: true, FlagIIF: true, FlagPRESENT: true},
		eq(make([]byte, 4)),
	}
}

// localSource matches packets whose source is an address of the host.
func localSource() part {
	return part{
		&expr.Fib{Register: 1, ResultADDRTYPE: true, FlagSADDR: true},
		eq(binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)),
	}
}

// onlySYN matches TCP segments that open a connection, from either side.
func onlySYN() part {
	const syn, rst = 2, 4
	return part{
		payload(expr.PayloadBaseTransportHeader, 13, 1),
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{syn | rst}, Xor: []byte{0}},
		eq([]byte{syn}),
	}
}

// clampMSS lowers the maximum segment size option (kind 2, RFC 9293 section 3.7.1) to what the route carries.
func clampMSS() part {
	return part{
		&expr.Rt{Register: 1, Key: expr.RtTCPMSS},
		&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 2, Size: 2},
		&expr.Exthdr{SourceRegister: 1, Type: 2, Offset: 2, Len: 2, Op: expr.ExthdrOpTcpopt},
	}
}

// constant loads an address into a register.
func constant(register uint32, a netip.Addr) expr.Any {
	return &expr.Immediate{Register: register, Data: a.AsSlice()}
}

func etherSource(mac string) part {
	hw, _ := net.ParseMAC(mac)
	return part{payload(expr.PayloadBaseLLHeader, 6, 6), eq(hw)}
}

func etherSourceNot(mac string) part {
	hw, _ := net.ParseMAC(mac)
	return part{payload(expr.PayloadBaseLLHeader, 6, 6), ne(hw)}
}

func etherDestination(mac string) part {
	hw, _ := net.ParseMAC(mac)
	return part{payload(expr.PayloadBaseLLHeader, 0, 6), eq(hw)}
}

func etherDestinationVmap(set string) part {
	return part{payload(expr.PayloadBaseLLHeader, 0, 6), vmap(set)}
}

// vlanID matches the VLAN of the outermost tag, of an Ethernet frame that has one.
func vlanID(id uint16) part {
	be16 := func(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }
	return part{
		payload(expr.PayloadBaseLLHeader, 14, 2),
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 2, Mask: be16(0x0fff), Xor: be16(0)},
		eq(be16(id)),
	}
}

// llc matches frames with an LLC header (IEEE 802.2) that goes on, by SNAP, to the Ethernet types of an organization.
func llc(organization uint32) part {
	header := binary.BigEndian.AppendUint32([]byte{0xaa, 0xaa}, 3<<24|organization)
	return part{payload(expr.PayloadBaseNetworkHeader, 0, uint32(len(header))), eq(header)}
}

// Sender addresses in an ARP packet for IPv4 over Ethernet, RFC 826.
func arpSenderMAC(mac string) part {
	hw, _ := net.ParseMAC(mac)
	return part{payload(expr.PayloadBaseNetworkHeader, 8, 6), eq(hw)}
}

func arpSender(a netip.Addr) part {
	return part{payload(expr.PayloadBaseNetworkHeader, 14, 4), eq(a.AsSlice())}
}

func icmp6Type(t byte) part {
	return part{payload(expr.PayloadBaseTransportHeader, 0, 1), eq([]byte{t})}
}

func counted(name string) part { return part{&expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: name}} }

func leadTo(chain string) part { return part{&expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}} }
func jumpTo(chain string) part { return part{&expr.Verdict{Kind: expr.VerdictJump, Chain: chain}} }
func accept() part             { return part{&expr.Verdict{Kind: expr.VerdictAccept}} }
func drop() part               { return part{&expr.Verdict{Kind: expr.VerdictDrop}} }
func ret() part                { return part{&expr.Verdict{Kind: expr.VerdictReturn}} }
func notrack() part            { return part{&expr.Notrack{}} }

func reject() part {
	return part{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED}}
}

func masquerade() part { return part{&expr.Masq{}} }

// masqueradePorts masquerades to a range of ports. The library encodes the range without the flag that makes the kernel heed
// it (NF_NAT_RANGE_PROTO_SPECIFIED), so this is encoded here.
func masqueradePorts(low, high uint16) part {
	const protoSpecified = 2
	be32 := func(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
	data := attributes(
		netlink.Attribute{Type: unix.NFTA_MASQ_FLAGS, Data: be32(protoSpecified)},
		netlink.Attribute{Type: unix.NFTA_MASQ_REG_PROTO_MIN, Data: be32(unix.NFT_REG_1)},
		netlink.Attribute{Type: unix.NFTA_MASQ_REG_PROTO_MAX, Data: be32(unix.NFT_REG_2)},
	)
	return part{
		&expr.Immediate{Register: unix.NFT_REG_1, Data: binary.BigEndian.AppendUint16(nil, low)},
		&expr.Immediate{Register: unix.NFT_REG_2, Data: binary.BigEndian.AppendUint16(nil, high)},
		attributes(
			netlink.Attribute{Type: unix.NFTA_EXPR_NAME, Data: []byte("masq\x00")},
			netlink.Attribute{Type: unix.NLA_F_NESTED | unix.NFTA_EXPR_DATA, Data: data},
		),
	}
}

// attributes encodes netlink attributes; it fails only for data over 64 KiB, which is a bug.
func attributes(list ...netlink.Attribute) []byte {
	data, err := netlink.MarshalAttributes(list)
	if err != nil {
		panic("netcfg: encoding netlink attributes: " + err.Error())
	}
	return data
}
