package dnsserver

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// readAhead is what one system call reads of pipelined questions, writeTogether about what one writes of answers, in bytes.
	readAhead     = 4096
	writeTogether = 16 << 10
)

// connections is what a listener has to stop.
type connections struct {
	mu     sync.Mutex // guards the rest
	active map[*connection]bool
}

func (c *connections) add(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active[conn] = true
}

func (c *connections) remove(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.active, conn)
}

func (c *connections) stopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.active {
		conn.stopReading()
	}
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.active {
		_ = conn.conn.Close()
	}
}

// accept takes connections until the listener stops.
func (l *listener) accept() {
	for {
		conn, err := l.tcp.AcceptTCP()
		if err != nil {
			if l.pause(err, "accepting a DNS connection") {
				continue
			}
			return
		}
		l.attend(conn, nil)
	}
}

// attend serves a connection, of which somebody has read unread already.
func (l *listener) attend(conn *net.TCPConn, unread []byte) {
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok { // it has gone
		_ = conn.Close()
		return
	}
	from := remote.AddrPort()
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	stranger := l.stranger(from.Addr())
	if !l.server.tcp.enter(from.Addr(), stranger) {
		_ = conn.Close()
		l.server.stats.count(busy)
		return
	}
	c := &connection{
		hot: hot{server: l.server, ledger: &l.ledger}, listener: l, conn: conn, from: from, stranger: stranger,
		replies: make(chan []byte, maxPipelined), room: make(chan struct{}, maxPipelined), unread: unread,
	}
	l.conns.add(c)
	if l.stopping() {
		c.stopReading()
	}
	l.readers.Go(c.run)
}

func (l *listener) stranger(who netip.Addr) bool {
	snap := l.server.snap.Load()
	v := snap.views[l.at]
	return v == nil || !snap.admits(v, who)
}

// connection is one client's TCP connection. Its reader serves; its writer alone waits for the client, so that a client
// that doesn't read its answers holds up nobody else.
type connection struct {
	hot
	glimpse  glimpse
	listener *listener
	conn     *net.TCPConn
	from     netip.AddrPort
	stranger bool

	room    chan struct{} // a token for each question under way
	replies chan []byte   // has room for each of them

	unread  []byte // that was read before, and is to be read first; at the end, what was read and not served
	broken  bool   // the client doesn't take answers; the writer's
	resumes bool   // there may be more to read, by another server; the reader's

	mu       sync.Mutex // guards the rest, and the read deadline against stopped
	stopped  bool
	stranded []byte // questions that waited for upstreams when the server ended, as they would come from the client
}

// stopReading ends the reader after the question that it is at; what is under way is still answered.
func (c *connection) stopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	_ = c.conn.SetReadDeadline(time.Unix(1, 0))
}

func (c *connection) readWithin(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped {
		_ = c.conn.SetReadDeadline(time.Now().Add(d))
	}
}

func (c *connection) run() {
	defer c.server.tcp.leave(c.from.Addr(), c.stranger)
	defer c.listener.conns.remove(c)
	defer c.conn.Close()
	var writer sync.WaitGroup
	writer.Go(c.write)
	c.read()
	// The tokens of all questions: none is under way any more, and nobody sends to replies.
	for range maxPipelined {
		c.room <- struct{}{}
	}
	close(c.replies)
	writer.Wait()
	c.leave()
}

func (c *connection) read() {
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(c.unread), c.conn), readAhead)
	c.unread = nil
	var message []byte
	patience := firstByte
	for {
		var err error
		if message, err = c.next(in, message, patience); err != nil {
			rest, _ := in.Peek(in.Buffered()) // there is so much
			c.unread, c.resumes = append(c.unread, rest...), errors.Is(err, os.ErrDeadlineExceeded)
			return
		}
		c.room <- struct{}{}
		c.listener.pending.Add(1)
		c.serve(message)
		if c.stranger {
			return
		}
		patience = idleFor
	}
}

// next reads a message into buffer, which it returns. Deadlines are set only where there is something to wait for.
func (c *connection) next(in *bufio.Reader, buffer []byte, patience time.Duration) ([]byte, error) {
	if in.Buffered() == 0 {
		c.readWithin(min(patience, c.server.tcp.idle()))
		if _, err := in.Peek(1); err != nil {
			return nil, err
		}
	}
	waiting := in.Buffered() < 2
	if waiting {
		c.readWithin(messageIn)
	}
	length, err := in.Peek(2)
	if err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(length))
	if !waiting && in.Buffered() < 2+n {
		c.readWithin(messageIn)
	}
	if _, err := in.Discard(2); err != nil {
		return nil, err
	}
	buffer = slices.Grow(buffer[:0], n)[:n]
	got, err := io.ReadFull(in, buffer)
	if err != nil {
		c.unread = append(binary.BigEndian.AppendUint16(nil, uint16(n)), buffer[:got]...)
	}
	return buffer, err
}

// serve answers a message, at once or later.
func (c *connection) serve(message []byte) {
	quick := c.begin(c.listener.at)
	if quick {
		c.look(&c.glimpse, message, c.from.Addr())
		if reply, ok := c.fast(&c.glimpse, true, make([]byte, 0, replyRoom)); ok {
			c.end()
			c.answer(reply, c.from)
			return
		}
	}
	c.end()
	reply, pending := c.server.serve(message, client{addr: c.from, at: c.listener.at, tcp: true, back: c, ledger: &c.listener.ledger}, nil)
	if !pending {
		c.answer(reply, c.from)
	}
}

// answer hands an answer to the writer: there is room for one per token.
func (c *connection) answer(reply []byte, _ netip.AddrPort) {
	c.replies <- reply
	c.listener.pending.Add(-1)
}

// write sends the answers as they come, in whatever order (RFC 7766 section 6.2.1.1), those that are there together.
func (c *connection) write() {
	var out []byte
	for reply := range c.replies {
		out = appendFramed(out[:0], reply)
		together := 1
		for more := true; more && len(out) < writeTogether; {
			select {
			case reply, more = <-c.replies:
				if more {
					out = appendFramed(out, reply)
					together++
				}
			default:
				more = false
			}
		}
		if len(out) > 0 && !c.broken {
			_ = c.conn.SetWriteDeadline(time.Now().Add(messageOut))
			if _, err := c.conn.Write(out); err != nil {
				c.broken = true
				c.server.stats.count(sendFailed)
				_ = c.conn.Close()
			}
		}
		if cap(out) > 2*writeTogether {
			out = nil
		}
		for range together {
			<-c.room
		}
	}
}

// appendFramed appends an answer behind its length, RFC 1035 section 4.2.2. An empty one is none.
func appendFramed(out, reply []byte) []byte {
	if len(reply) == 0 {
		return out
	}
	return append(binary.BigEndian.AppendUint16(out, uint16(len(reply))), reply...)
}
