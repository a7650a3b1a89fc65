package generator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// maxClients is how many clients a crowd can have: the number of one is in the lower bits of its transaction ids.
const (
	numberBits = 20
	maxClients = 1 << numberBits
)

// Config says where a crowd lives.
type Config struct {
	Interface string // in the namespace of the thread that calls Open
	Mode      Mode
	Server    netip.Addr // IPv4
	Relay     netip.Addr // of the interface; only for Relay
	Serial    byte       // tells the clients of one crowd from those of another
}

// Crowd is any number of clients of one server. It belongs to one goroutine.
type Crowd struct {
	way     way
	fd      int
	in, out *packets
	serial  byte
	server  uint32

	clients []client
	bound   []int32          // clients that have an address, in the order in which they got it
	owners  map[uint32]int32 // by address

	run run
}

// client is one of the crowd.
type client struct {
	addr, server uint32 // its lease, and who gave it; 0: none
	xid          uint32
	epoch        uint32 // of the last exchange
	waits        byte   // for this kind of answer; 0: for none
	firm         bool   // it has the address, and the server knows it
	tries        uint8
	place        int32         // in run.flying
	began        time.Duration // when it sent the first message of the exchange, …
	asked        time.Duration // … the first REQUEST, …
	sent         time.Duration // … and the last message, since the run began
}

// Open opens the crowd's socket in the network namespace of the calling thread.
func Open(cfg Config) (*Crowd, error) {
	if !cfg.Server.Is4() || cfg.Mode == Relay && !cfg.Relay.Is4() {
		return nil, errors.New("the server and the relay need IPv4 addresses")
	}
	way, fd, err := open(cfg)
	if err != nil {
		return nil, err
	}
	return &Crowd{
		way: way, fd: fd, in: newPackets(fd, false), out: newPackets(fd, false), serial: cfg.Serial, server: toUint(cfg.Server),
		owners: make(map[uint32]int32),
	}, nil
}

// Close closes the socket; the second time it does nothing.
func (c *Crowd) Close() error {
	if c.fd < 0 {
		return nil
	}
	err := unix.Close(c.fd)
	c.fd = -1
	return err
}

// Bound is how many clients have an address.
func (c *Crowd) Bound() int { return len(c.bound) }

// newcomer adds a client.
func (c *Crowd) newcomer() (int32, error) {
	if len(c.clients) == maxClients {
		return 0, fmt.Errorf("a crowd has at most %d clients", maxClients)
	}
	c.clients = append(c.clients, client{})
	return int32(len(c.clients) - 1), nil
}

// hwaddr is the locally administered address of a client.
func (c *Crowd) hwaddr(number int32) hwaddr {
	h := hwaddr{0x02, c.serial}
	binary.BigEndian.PutUint32(h[2:], uint32(number))
	return h
}

// hostName is the name that a client sends.
func (c *Crowd) hostName(b []byte, number int32) []byte {
	return fmt.Appendf(b, "g%d-%06d", c.serial, number)
}

// say sends the message that a client's state asks for.
func (c *Crowd) say(w Workload, number int32) error {
	cl := &c.clients[number]
	var name [24]byte
	m := message{kind: request, xid: cl.xid, chaddr: c.hwaddr(number), host: c.hostName(name[:0], number)}
	c.way.prepare(&m)
	unicast := false
	switch {
	case cl.waits == offer:
		m.kind = discover
	case w == New:
		m.requested, m.server = cl.addr, cl.server
	case w == Renew:
		m.ciaddr, m.broadcast, unicast = cl.addr, false, true
	case w == Reboot:
		m.requested = cl.addr
	}
	if c.out.full() {
		if err := c.flush(); err != nil {
			return err
		}
	}
	c.out.push(c.way.append(c.out.room(), &m, unicast))
	return nil
}

// flush sends what was said.
func (c *Crowd) flush() error {
	refused, err := c.out.flush()
	c.run.result.Unsent += refused
	return err
}

// arp answers an ARP question for an address of one of the crowd.
func (c *Crowd) arp(packet []byte, addr uint32) error {
	number, ok := c.owners[addr]
	if !ok {
		return nil
	}
	if c.out.full() {
		if err := c.flush(); err != nil {
			return err
		}
	}
	c.out.push(appendARPAnswer(c.out.room(), packet, c.hwaddr(number)))
	return nil
}
