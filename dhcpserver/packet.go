package dhcpserver

import (
	"sync"

	"labnet/leases"
)

// packet is a message decided: its reply, if there is one, and its pending change, if there is one.
type packet struct {
	decision
	buf      []byte // room for headers, then the reply; empty if there is none
	to       destination
	settings *settings // that it was decided by
	xid      uint32
	seed     uint64 // of the jitter in its times
	event    *Event // if somebody watches
	unsent   error  // why the kernel refused the reply
}

// finish completes the headers around the encoded message.
func (p *packet) finish(link *linkState) { finishFrame(p.buf, p.to, link.mac, p.settings.server) }

// batch is packets on their way, and the changes that must be durable before their replies leave.
type batch struct {
	packets []*packet
	changes []leases.Change
	err     error       // of the commit
	done    func(error) // hands the batch to the acknowledger of the server it was made for
}

// pools keep what is used for every packet from being allocated for every packet.
type pools struct {
	packets sync.Pool
	batches sync.Pool
}

func newPools(committed chan<- *batch) *pools {
	return &pools{
		packets: sync.Pool{New: func() any { return &packet{buf: make([]byte, 0, headersLen+minDatagram)} }},
		batches: sync.Pool{New: func() any {
			b := new(batch)
			b.done = func(err error) {
				b.err = err
				committed <- b // never blocks: the channel has room for all that may be under way
			}
			return b
		}},
	}
}

func (p *pools) packet() *packet { return p.packets.Get().(*packet) }

func (p *pools) batch() *batch { return p.batches.Get().(*batch) }

// release takes a batch and its packets back.
func (p *pools) release(b *batch) {
	for _, x := range b.packets {
		p.releasePacket(x)
	}
	clear(b.packets)
	clear(b.changes)
	b.packets, b.changes, b.err = b.packets[:0], b.changes[:0], nil
	p.batches.Put(b)
}

func (p *pools) releasePacket(x *packet) {
	*x = packet{buf: x.buf[:0]}
	p.packets.Put(x)
}
