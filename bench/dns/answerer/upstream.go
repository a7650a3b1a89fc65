package answerer

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"labnet/bench/dns/batch"
)

// Upstream answers every question of type A at an address with AddrOf its name, any other with no data, until the process ends. counter is a file of at
// least eight bytes whose first ones count the questions, in the machine's byte order; Count reads it. It needs two threads of the runtime's.
func Upstream(at netip.AddrPort, counter string) error {
	count, err := mapCounter(counter)
	if err != nil {
		return fmt.Errorf("counting in %s: %w", counter, err)
	}
	answer := func(message []byte, n int) int { atomic.AddUint64(count, 1); return answerAnything(message, n) }
	streams, err := net.Listen("tcp4", at.String())
	if err != nil {
		return err
	}
	go serveStreams(streams, answer)
	return serve(at, batch.Size, answer)
}

// answerAnything is what the upstream makes of a question.
func answerAnything(message []byte, n int) int {
	end := questionEnd(message[:n])
	if end == 0 {
		return 0
	}
	do := byte(0)
	withOPT := message[11] != 0 && n >= end+11 && message[end] == 0 && message[end+2] == 41
	if withOPT {
		do = message[end+7] & 0x80
	}
	message[2], message[3] = 0x80|message[2]&0x79, 0x80|message[3]&0x10
	for i := 6; i < 12; i++ {
		message[i] = 0
	}
	if binary.BigEndian.Uint16(message[end-4:]) == 1 {
		message[7] = 1
		n = appendA(message, end, AddrOf(message[12:end-4]).As4())
	} else {
		message[9] = 1
		n = end + copy(message[end:], noData)
	}
	if withOPT {
		message[11] = 1
		n = appendOPT(message, n, do)
	}
	return n
}

// noData is the root's SOA record, TTL 3600, all its numbers 3600 too.
var noData = []byte("\x00\x00\x06\x00\x01\x00\x00\x0e\x10\x00\x16\x00\x00" +
	"\x00\x00\x0e\x10\x00\x00\x0e\x10\x00\x00\x0e\x10\x00\x00\x0e\x10\x00\x00\x0e\x10")

// serveStreams serves TCP, for servers that ask the upstream in the way in which they were asked.
func serveStreams(streams net.Listener, answer func(message []byte, n int) int) {
	for {
		conn, err := streams.Accept()
		if err != nil {
			return
		}
		go serveStream(conn, answer)
	}
}

// serveStream answers questions in turn, until its peer has no more.
func serveStream(conn net.Conn, answer func(message []byte, n int) int) {
	defer conn.Close()
	var room [2 + batch.MaxPacket]byte
	for {
		if _, err := io.ReadFull(conn, room[:2]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(room[:]))
		if n > batch.MaxPacket/2 {
			return
		}
		if _, err := io.ReadFull(conn, room[2:2+n]); err != nil {
			return
		}
		n = answer(room[2:], n)
		binary.BigEndian.PutUint16(room[:], uint16(n))
		if _, err := conn.Write(room[:2+n]); err != nil || n == 0 {
			return
		}
	}
}

// AddrOf is the address that the upstream has for a name in wire format, whatever the letter case: one of 198.18.0.0/15, which is for benchmarks
// (RFC 2544), so that no protection against private addresses in answers is in the way.
func AddrOf(name []byte) netip.Addr {
	hash := uint32(2166136261) // FNV-1a
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		hash = (hash ^ uint32(c)) * 16777619
	}
	return netip.AddrFrom4([4]byte{198, 18 | byte(hash>>16)&1, byte(hash >> 8), byte(hash)})
}

func mapCounter(name string) (*uint64, error) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	page, err := unix.Mmap(int(file.Fd()), 0, 8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*uint64)(unsafe.Pointer(&page[0])), nil
}

// Count is how many questions the upstream with this counter has been asked.
func Count(counter string) (uint64, error) {
	text, err := os.ReadFile(counter)
	if err != nil {
		return 0, err
	}
	if len(text) < 8 {
		return 0, fmt.Errorf("%s is no counter", counter)
	}
	return binary.NativeEndian.Uint64(text), nil
}
