package dhcpserver

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/succession"
)

// inherit takes over the sockets of a former server on a link: the one that receives, with the messages in it, and the packet sockets, whose
// closing takes the kernel a while. udp is nil if there is none. The raw ones only send, and are opened anew.
func (s *sockets) inherit(estate *succession.Estate, index int) {
	take := func(what string, fits func(succession.Socket) bool) *os.File {
		fd, ok := estate.TakeOne(fits)
		if !ok || unix.SetNonblock(fd, true) != nil {
			return nil
		}
		return os.NewFile(uintptr(fd), "dhcp "+what+" socket of "+s.iface)
	}
	packet := func(link int, protocol uint16) func(succession.Socket) bool {
		return func(s succession.Socket) bool {
			return s.Family == unix.AF_PACKET && s.Kind == unix.SOCK_RAW && s.Link == link && s.EtherType == protocol
		}
	}
	s.udp = take("udp", func(other succession.Socket) bool {
		return other.Family == unix.AF_INET && other.Kind == unix.SOCK_DGRAM && other.Device == s.iface &&
			other.Local == netip.AddrPortFrom(netip.IPv4Unspecified(), serverPort)
	})
	s.packet = take("packet", packet(0, 0))
	s.ear = take("arp", packet(index, etherTypeARP))
}

// keep lets them outlive this process.
func (s *sockets) keep(estate *succession.Estate, network string) error {
	s.estate, s.name = estate, fmt.Sprintf("dhcp_%s_%s", s.iface, network)
	var errs []error
	for _, file := range []*os.File{s.udp, s.packet, s.ear} {
		errs = append(errs, control(file, func(fd int) error { return estate.Keep(s.name, fd) }))
	}
	return errors.Join(errs...)
}

// Message is a message that waited when its server ended.
type Message struct {
	Data      []byte         `json:"data"`
	From      netip.AddrPort `json:"from"`
	Broadcast bool           `json:"broadcast"`
}

// Unanswered is what still waited for ARP when Run returned. Call it after that.
func (s *Server) Unanswered() []Message { return s.probe.unanswered() }

// TakeUp has a server begin with the messages that a former one has left. Call it before Run.
func (s *Server) TakeUp(messages []Message) { s.former = messages }

// unanswered takes all messages that wait.
func (p *prober) unanswered() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.ready
	for _, x := range p.parked {
		waiting = append(waiting, x)
	}
	p.ready = nil
	clear(p.parked)
	out := make([]Message, 0, len(waiting))
	for _, x := range waiting {
		out = append(out, Message{x.data, x.from, x.broadcast})
	}
	return out
}

// takeUp decides what a former server has left, as if it came now.
func (r *receiver) takeUp(messages []Message) {
	if len(messages) == 0 {
		return
	}
	r.now = time.Now()
	settings := r.s.settings.Load()
	r.decider.newcomers = len(messages)
	r.pending = r.s.pools.batch()
	for _, m := range messages {
		r.serve(settings, datagram{data: m.Data, from: m.From, broadcast: m.Broadcast, truncated: len(m.Data) > maxMessage})
	}
	r.flush()
}
