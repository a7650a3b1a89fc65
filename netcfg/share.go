package netcfg

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"strconv"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A guest's share of the kernel's table of connections, which all of the host has in common: when it is full, nobody gets a
// connection any more, the host included. Only packets that open a connection are counted, so that others cost nothing.

const (
	// admitted is the chain of what guests may open, if their share allows, and drawn that of what is to be counted.
	admitted = "admitted"
	drawn    = "drawn"
	// counted4 counts connections by guests' IPv4 addresses; counted6 counts all over IPv6, which only reach the host itself, since a
	// guest has as many link-local addresses as it likes; countedAll counts those of all guests.
	counted4   = "connections"
	counted6   = "connections6"
	countedAll = "connections_all"
	// crowded counts packets that would have opened a connection beyond the share.
	crowded = "crowded"

	// One guest may have a shareOf-th of the table, and shareLeast at least. usualMax is for kernels that don't tell.
	shareOf    = 16
	shareLeast = 1024
	usualMax   = 65536

	// When a connection begins, the kernel looks through the list of those that are counted with it. So each is counted in one of many
	// lists of this length, drawn by lot, and a guest at its limit that goes on trying costs hardly more than another.
	listLength = 32

	// Even so, counting is the dearest thing that happens to a new connection: the kernel needs twice as long for one that it forwards. So
	// one of sampleOf is counted at first, drawn by lot. When a guest's samples, or all guests', come near a quarter of a share, the guest
	// is heavy: what there is then is hardly more than a quarter, and the rest is counted one by one. It stays so: who could be forgotten
	// would get a few for nothing each time.
	sampleOf = 32
	samples  = "samples"
	// samplesAll are of all guests together.
	samplesAll = "samples_all"
	heavy      = "heavy"
)

// shares are how many connections there may be at once.
type shares struct {
	own uint32 // of one guest
	all uint32 // of all guests: what is left is the host's, however many guests there are or claim to be
}

func (f *facts) shares() shares {
	most, err := strconv.ParseUint(f.sysctls[conntrackMax], 10, 32)
	if err != nil || most == 0 { // 0 is no limit
		most = usualMax
	}
	return shares{own: max(uint32(most)/shareOf, shareLeast), all: max(uint32(most/4*3), shareLeast)}
}

// declareShare makes the chain that counts, and what it counts in.
func (t *table) declareShares(s shares) {
	t.counters[crowded] = true
	for name, key := range map[string]keyType{
		counted4: keyIPv4Mark, counted6: keyMark, countedAll: keyMark, samples: keyIPv4Mark, samplesAll: keyMark, heavy: keyIPv4,
	} {
		t.sets[name] = set{key: key, dynamic: true, lasting: true, elements: map[string]string{}}
	}
	const first, second = unix.NFT_REG32_00, unix.NFT_REG32_01
	saddr := &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: first, Base: expr.PayloadBaseNetworkHeader, Offset: saddrOffset, Len: 4}
	t.chains["draw"] = chain{rules: []rule{
		inet("", ip4Proto, part{saddr, isntIn(first, heavy)}, oftenNot(sampleOf), ret()),
		// A datagram that nobody has answered yet opens nothing a second time.
		inet("", ctStatus(ipsConfirmed), ret()),
		inet("", leadTo("count")),
	}}
	t.chains["count"] = chain{rules: []rule{
		inet("", ip4Proto, part{saddr, isIn(first, heavy)}, leadTo("count_all")),
		inet("", nfproto(unix.NFPROTO_IPV6), leadTo("count_all")),
		inet("", ip4Proto, part{saddr}, overConnections(second, samples, samplesOf(s.own/4)), part{addTo(heavy, first)}),
		inet("", ip4Proto, overConnections(first, samplesAll, samplesOf(s.all/4)), part{saddr, addTo(heavy, first)}),
	}}
	t.chains["count_all"] = chain{rules: []rule{
		inet("a guest's share", ip4Proto, part{saddr}, overConnections(second, counted4, s.own/4*3), counted(crowded), drop()),
		inet("all guests' over IPv6", nfproto(unix.NFPROTO_IPV6), overConnections(first, counted6, s.own), counted(crowded), drop()),
		inet("all guests' share", overConnections(first, countedAll, s.all/4*3), counted(crowded), drop()),
	}}
	t.chains[admitted] = chain{rules: []rule{inet("", unsuspected(netip.Prefix{}), accept()), inet("", leadTo(drawn))}}
	t.chains[drawn] = chain{rules: []rule{
		inet("", ctStatus(ipsConfirmed), accept()),
		inet("", ctState(expr.CtStateBitNEW), jumpTo("count")),
		inet("", accept()),
	}}
}

// samplesOf is how many samples there may be of so many connections: by twice the deviation fewer than there are on average, since lots are
// uneven.
func samplesOf(connections uint32) uint32 {
	mean := float64(connections) / sampleOf
	return uint32(max(mean-2*math.Sqrt(mean), 1))
}

// limitConnections are rules that drop what would open a connection beyond the share.
func limitConnections() []rule {
	return []rule{inet("", ctState(expr.CtStateBitNEW), jumpTo("draw"))}
}

// unsuspected matches what opens a connection from a subnet, or from anywhere, and isn't to be counted.
func unsuspected(subnet netip.Prefix) part {
	const first = unix.NFT_REG32_00
	p := part{payload(expr.PayloadBaseNetworkHeader, saddrOffset, 4), isntIn(first, heavy)}
	if subnet.IsValid() {
		p = append(p, masked(subnet), eq(subnet.Addr().AsSlice()))
	}
	return slices.Concat(ctState(expr.CtStateBitNEW), ip4Proto, p, oftenNot(sampleOf))
}

// overConnections matches packets beyond about most tracked connections. It keeps account in a dynamic set; the number of the list is put
// into a register, behind what else the key has.
func overConnections(register uint32, set string, most uint32) part {
	length := min(listLength, most)
	return part{
		&expr.Numgen{Register: register, Modulus: most / length, Type: unix.NFT_NG_RANDOM},
		&expr.Dynset{
			SrcRegKey: unix.NFT_REG32_00, SetName: set, Operation: unix.NFT_DYNSET_OP_ADD,
			Exprs: []expr.Any{&expr.Connlimit{Count: length, Flags: expr.NFT_CONNLIMIT_F_INV}},
		},
	}
}

func isIn(register uint32, set string) expr.Any {
	return &expr.Lookup{SourceRegister: register, SetName: set}
}

func isntIn(register uint32, set string) expr.Any {
	return &expr.Lookup{SourceRegister: register, SetName: set, Invert: true}
}

func addTo(set string, register uint32) expr.Any {
	return &expr.Dynset{SrcRegKey: register, SetName: set, Operation: unix.NFT_DYNSET_OP_ADD}
}

// oftenNot matches all but one of n, drawn by lot.
func oftenNot(n uint32) part {
	return part{
		&expr.Numgen{Register: 1, Modulus: n, Type: unix.NFT_NG_RANDOM},
		ne(binary.NativeEndian.AppendUint32(nil, 0)),
	}
}

// observeTracking looks again for the size of the table where it wasn't to be seen: the module is loaded when it is first asked
// something.
func (ns *namespace) observeTracking(f *facts) error {
	if _, ok := f.sysctls[conntrackMax]; ok || ns.filter == nil {
		return nil
	}
	const getStats = unix.NFNL_SUBSYS_CTNETLINK<<8 | 5
	return ns.inside(func() error {
		// The kernel loads the module while it takes the question. The answer isn't waited for: some kernels give none then.
		if conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil); err == nil {
			_, _ = conn.Send(netlink.Message{
				Header: netlink.Header{Type: netlink.HeaderType(getStats), Flags: netlink.Request},
				Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0},
			})
			_ = conn.Close()
		}
		found, err := readSysctls([]sysctlKey{conntrackMax})
		if value, ok := found[conntrackMax]; ok {
			f.sysctls[conntrackMax] = value
		}
		return err
	})
}
