//go:build long

package e2e

import (
	"bufio"
	wire "encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"
)

// Numbers of the NBD protocol (doc/proto.md of its reference implementation), as far as a disk needs it.
const (
	nbdMagic       = 0x4e42444d41474943 // "NBDMAGIC"
	nbdOptionMagic = 0x49484156454f5054 // "IHAVEOPT"
	nbdReplyMagic  = 0x3e889045565a9    // to an option
	nbdRequest     = 0x25609513
	nbdReply       = 0x67446698

	nbdFixedNewstyle = 1 << 0
	nbdNoZeroes      = 1 << 1

	nbdOptAbort = 2
	nbdOptInfo  = 6
	nbdOptGo    = 7

	nbdRepAck   = 1
	nbdRepInfo  = 3
	nbdRepUnsup = 1<<31 | 1

	nbdInfoExport    = 0
	nbdInfoBlockSize = 3

	nbdHasFlags = 1 << 0
	nbdFlush    = 1 << 2
	nbdFUA      = 1 << 3

	nbdCmdRead  = 0
	nbdCmdWrite = 1
	nbdCmdDisc  = 2
	nbdCmdFlush = 3

	nbdInvalid = 22 // EINVAL
	nbdLongest = 32 << 20
)

// nbdServer serves a volatile disk on a unix socket, one client at a time.
type nbdServer struct {
	disk     *volatileDisk
	path     string
	listener net.Listener
	gone     chan error // what became of each client
}

func newNBDServer(t *testing.T, disk *volatileDisk) *nbdServer {
	t.Helper()
	s := &nbdServer{disk: disk, path: filepath.Join(t.TempDir(), "disk"), gone: make(chan error, 1)}
	var err error
	if s.listener, err = net.Listen("unix", s.path); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); s.accept() }()
	t.Cleanup(func() { _ = s.listener.Close(); <-ended })
	return s
}

func (s *nbdServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		err = s.serve(conn)
		_ = conn.Close()
		s.gone <- err
	}
}

// left waits until the client is gone, and all that it wrote is in the disk's cache.
func (s *nbdServer) left(t *testing.T) {
	t.Helper()
	if err := <-s.gone; err != nil {
		t.Fatalf("the disk: %v", err)
	}
}

// serve is one connection; a client that goes is no error.
func (s *nbdServer) serve(conn net.Conn) error {
	c := &nbdConn{disk: s.disk, r: bufio.NewReaderSize(conn, 1<<20), w: bufio.NewWriterSize(conn, 1<<20)}
	err := c.handshake()
	if err == nil {
		err = c.transmit()
	}
	var broken *net.OpError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &broken) {
		return nil
	}
	return err
}

type nbdConn struct {
	disk *volatileDisk
	r    *bufio.Reader
	w    *bufio.Writer
}

// put sends numbers in network order.
func (c *nbdConn) put(values ...any) {
	for _, v := range values {
		_ = wire.Write(c.w, wire.BigEndian, v) // bufio keeps the error for Flush
	}
}

func (c *nbdConn) get(values ...any) error {
	for _, v := range values {
		if err := wire.Read(c.r, wire.BigEndian, v); err != nil {
			return err
		}
	}
	return nil
}

// handshake is the fixed newstyle negotiation; it returns when the client wants to transmit.
func (c *nbdConn) handshake() error {
	c.put(uint64(nbdMagic), uint64(nbdOptionMagic), uint16(nbdFixedNewstyle|nbdNoZeroes))
	if err := c.w.Flush(); err != nil {
		return err
	}
	var flags uint32
	if err := c.get(&flags); err != nil {
		return err
	}
	for {
		var magic uint64
		var option, length uint32
		if err := c.get(&magic, &option, &length); err != nil {
			return err
		}
		if magic != nbdOptionMagic || length > 1<<16 {
			return fmt.Errorf("an option of length %d with the magic %#x", length, magic)
		}
		if _, err := c.r.Discard(int(length)); err != nil {
			return err
		}
		switch option {
		case nbdOptGo, nbdOptInfo:
			c.option(option, nbdRepInfo, uint16(nbdInfoExport), uint64(c.disk.size), uint16(nbdHasFlags|nbdFlush|nbdFUA))
			c.option(option, nbdRepInfo, uint16(nbdInfoBlockSize), uint32(sectorSize), uint32(4096), uint32(nbdLongest))
			c.option(option, nbdRepAck)
		case nbdOptAbort:
			c.option(option, nbdRepAck)
		default:
			c.option(option, nbdRepUnsup)
		}
		if err := c.w.Flush(); err != nil {
			return err
		}
		switch option {
		case nbdOptGo:
			return nil
		case nbdOptAbort:
			return io.EOF
		}
	}
}

// option answers an option.
func (c *nbdConn) option(option, kind uint32, values ...any) {
	length := 0
	for _, v := range values {
		length += wire.Size(v)
	}
	c.put(uint64(nbdReplyMagic), option, kind, uint32(length))
	c.put(values...)
}

// transmit answers requests in their order, so a flush covers all that was answered before it.
func (c *nbdConn) transmit() error {
	buffer := make([]byte, 0, 1<<20)
	for {
		var magic, length uint32
		var flags, command uint16
		var handle, offset uint64
		if err := c.get(&magic, &flags, &command, &handle, &offset, &length); err != nil {
			return err
		}
		if magic != nbdRequest || length > nbdLongest {
			return fmt.Errorf("a request of length %d with the magic %#x", length, magic)
		}
		if cap(buffer) < int(length) {
			buffer = make([]byte, length)
		}
		data := buffer[:length]
		if command == nbdCmdWrite {
			if _, err := io.ReadFull(c.r, data); err != nil {
				return err
			}
		}
		if (command == nbdCmdWrite || command == nbdCmdFlush) && !c.disk.powered() {
			_, err := io.Copy(io.Discard, c.r) // nobody answers any more
			return err
		}
		inside := offset%sectorSize == 0 && length%sectorSize == 0 && offset+uint64(length) <= uint64(c.disk.size)
		code := uint32(0)
		switch {
		case command == nbdCmdDisc:
			return nil
		case command == nbdCmdFlush:
			c.disk.flush()
		case command == nbdCmdWrite && inside:
			c.disk.write(data, int(offset), flags&1 != 0)
		case command == nbdCmdRead && inside:
			c.disk.read(data, int(offset))
		default:
			code = nbdInvalid
		}
		c.put(uint32(nbdReply), code, handle)
		if command == nbdCmdRead && code == 0 {
			_, _ = c.w.Write(data)
		}
		if err := c.w.Flush(); err != nil {
			return err
		}
	}
}
