package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The acceptor takes connections on the LAN, and the connector opens them from the guest. A connection is reset as soon as it stands, so
// that neither side keeps anything of it.
const (
	acceptorName  = "accept-connections"
	connectorName = "open-connections"

	// firstPort and ports are where the acceptor listens: one alone would leave a guest 28,000 connections at a time.
	firstPort = 7000
	ports     = 8
	// connectors is how many threads open connections.
	connectors = 4
)

func accept([]string) error {
	for i := range ports {
		listener, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", lanAddr, firstPort+i))
		if err != nil {
			return err
		}
		go acceptOn(listener)
	}
	select {}
}

func acceptOn(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			continue // reset before it was accepted
		}
		_ = conn.Close()
	}
}

// openConnections opens connections for as many milliseconds as its argument says, and prints how many there were.
func openConnections(args []string) error {
	if len(args) != 1 {
		return errors.New("how many milliseconds?")
	}
	milliseconds, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	end := time.Now().Add(time.Duration(milliseconds) * time.Millisecond)
	var group sync.WaitGroup
	var opened atomic.Int64
	var failure atomic.Pointer[error]
	for i := range connectors {
		group.Go(func() {
			runtime.LockOSThread()
			n, err := connectUntil(end, firstPort+i%ports)
			opened.Add(n)
			if err != nil {
				failure.Store(&err)
			}
		})
	}
	group.Wait()
	if err := failure.Load(); err != nil {
		return *err
	}
	_, err = fmt.Fprintln(os.Stdout, opened.Load())
	return err
}

func connectUntil(end time.Time, port int) (int64, error) {
	to := unix.SockaddrInet4{Port: port}
	addr := net.ParseIP(lanAddr).To4()
	copy(to.Addr[:], addr)
	n := int64(0)
	for time.Now().Before(end) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return n, fmt.Errorf("opening a socket: %w", err)
		}
		err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		if err == nil {
			err = unix.Connect(fd, &to)
		}
		_ = unix.Close(fd)
		if err != nil {
			return n, fmt.Errorf("connecting to port %d: %w", port, err)
		}
		n++
	}
	return n, nil
}
