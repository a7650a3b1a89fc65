package observe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// filter lets ARP pass, and UDP to DHCP's ports unless it is a later part of a datagram. Everything that comes in at the port passes it, so
// it decides what can be decided by the first instructions there.
var filter = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 12},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: etherTypeIPv4, Jf: 8},
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: ethernetLen + 9},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: protocolUDP, Jf: 8},
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: ethernetLen + 6},
	{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x1fff, Jt: 6},
	{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: ethernetLen},
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: ethernetLen + 2},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: serverPort, Jt: 2},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: clientPort, Jt: 1, Jf: 2},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: etherTypeARP, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: maxFrame},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// maxFrame is how much is read of a frame.
const maxFrame = 1514

const (
	// burst in a period is how many frames of one port are looked at; in a flood the rest is lost, and costs nobody a CPU.
	burst  = 64
	period = 100 * time.Millisecond
)

// errGone says that a port went away before it could be listened to.
var errGone = errors.New("the port is gone")

// openPort opens a socket that hears nothing yet.
func openPort(name string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if errors.Is(err, unix.EPERM) {
		err = fmt.Errorf("%w: CAP_NET_RAW is missing", err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket: %w", err)
	}
	return os.NewFile(uintptr(fd), "observer of "+name), nil
}

// listen opens a socket that hears what comes in at a port. A bridge takes frames off its ports before sockets for one protocol see them:
// only those for all protocols do.
func (o *Observer) listen(p link) (file *os.File, err error) {
	if err := o.inside(func() error { file, err = openPort(p.name); return err }); err != nil {
		return nil, err
	}
	conn, err := file.SyscallConn()
	if err == nil {
		var inner error
		err = conn.Control(func(fd uintptr) { inner = hearOn(int(fd), p.index) })
		err = errors.Join(err, inner)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("listening on %s: %w", p.name, err)
	}
	return file, nil
}

func hearOn(fd, index int) error {
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return fmt.Errorf("attaching a filter: %w", err)
	}
	// Otherwise the kernel copies all that goes out at the port.
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return fmt.Errorf("setting PACKET_IGNORE_OUTGOING: %w", err)
	}
	protocol := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL})
	err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: index})
	if errors.Is(err, unix.ENODEV) {
		return errGone
	}
	return err
}

// hear hands what is heard to tell, until the file is closed or ctx ends.
func (o *Observer) hear(ctx context.Context, file *os.File, tell func(sighting)) error {
	stop := context.AfterFunc(ctx, func() { _ = file.Close() })
	defer stop()
	frame := make([]byte, maxFrame)
	begin, n := time.Now(), 0
	for {
		length, err := file.Read(frame)
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil
		case errors.Is(err, unix.ENETDOWN):
			continue // it is down, and may be up again; if it is gone, the file is closed soon
		case err != nil:
			o.log.Warn("a port is no longer listened to", "port", file.Name(), "err", err)
			return nil
		}
		if s, ok := read(frame[:length]); ok {
			tell(s)
		}
		if n++; n < burst {
			continue
		}
		if rest := period - time.Since(begin); rest > 0 && !pause(ctx, rest) {
			return nil
		}
		begin, n = time.Now(), 0
	}
}
