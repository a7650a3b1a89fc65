package dhcpserver

import (
	"net"
	"testing"
)

// TestABacklogIsSeenBeforeItOverflows fills a socket's queue, and empties it.
func TestABacklogIsSeenBeforeItOverflows(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadBuffer(200 << 10); err != nil {
		t.Fatal(err)
	}
	file, err := conn.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := newReader(file)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := net.Dial("udp4", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	message := make([]byte, 300)
	send := func(n int) {
		for range n {
			if _, err := sender.Write(message); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func() {
		t.Helper()
		if n, err := r.read(); err != nil || n != batchSize {
			t.Fatalf("%d datagrams, %v", n, err)
		}
	}
	send(batchSize)
	read()
	if r.backlogged {
		t.Error("one batch is a backlog")
	}
	const batches = 4 // of 300 bytes, which take 768 or 1280 in the queue: more than an eighth of what the kernel makes of the size, and less than all
	send(batches * batchSize)
	read()
	if !r.backlogged {
		t.Errorf("%d batches are no backlog", batches)
	}
	for range batches - 1 {
		read()
	}
	if r.backlogged || r.drops != 0 {
		t.Errorf("an empty queue is a backlog (%v), or overflowed by %d", r.backlogged, r.drops)
	}
}
