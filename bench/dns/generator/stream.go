package generator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// read takes what has come on a connection, and asks a new question for each answer. A connection that the server has closed is opened
// anew, and what had no answer is asked again: its time goes on.
func (c *Clients) read(i int) error {
	n := c.conns[i]
	got, err := unix.Read(n.fd, c.scratch)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return nil
	case err != nil || got == 0:
		return c.reconnect(i)
	}
	c.now = time.Since(c.began)
	n.in = append(n.in, c.scratch[:got]...)
	at := 0
	for at+2 <= len(n.in) {
		size := int(binary.BigEndian.Uint16(n.in[at:]))
		if at+2+size > len(n.in) {
			break
		}
		place, ok := n.hear(n.in[at+2:at+2+size], c.now, c.result)
		at += 2 + size
		if ok && c.followed() {
			if err := c.ask(n, place); err != nil {
				return err
			}
		}
	}
	n.in = n.in[:copy(n.in, n.in[at:])]
	return c.write(n)
}

// write sends what is to be sent on a connection, as far as the kernel takes it; the rest goes with what comes next, and no later
// than a look around.
func (c *Clients) write(n *conn) error {
	for len(n.out) > 0 {
		sent, err := unix.Write(n.fd, n.out)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET):
			return nil // reading will tell, and ask again
		case err != nil:
			return fmt.Errorf("sending: %w", err)
		}
		n.out = n.out[:copy(n.out, n.out[sent:])]
	}
	return nil
}

func (c *Clients) reconnect(i int) error {
	n := c.conns[i]
	if n.waiting == 0 && c.over() {
		return unix.EpollCtl(c.epoll, unix.EPOLL_CTL_DEL, n.fd, nil)
	}
	_ = unix.Close(n.fd)
	n.fd = -1
	if err := c.connect(i); err != nil {
		return err
	}
	c.result.Reconnects++
	for k := range n.slots {
		if s := &n.slots[k]; s.waits {
			n.out = append(append(n.out, 0, s.len), s.message()...)
		}
	}
	return c.write(n)
}
