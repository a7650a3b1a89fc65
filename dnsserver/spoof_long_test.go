//go:build long

package dnsserver

import (
	crypto "crypto/rand"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
)

// Ten million forged answers from the upstream's own address and port, while a question is open all the time: none is taken. The forger
// knows the question but for its letter case; in turn also the port, and the ID.
func TestSpoofing(t *testing.T) {
	for _, c := range []struct {
		name              string
		tries             int64
		port, id, letters bool // that the forger knows
		fooled            bool
	}{
		{name: "off the path", tries: 8_000_000},
		{name: "who knows the port", tries: 1_000_000, port: true},
		{name: "who knows port and ID", tries: 1_000_000, port: true, id: true},
		{name: "who knows all", tries: 100, port: true, id: true, letters: true, fooled: true}, // else the test couldn't fail
	} {
		t.Run(c.name, func(t *testing.T) {
			var open atomic.Pointer[exchange]
			var answering sync.WaitGroup
			up := startUpstream(t, func(x exchange) {
				if x.tcp {
					x.answer(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1")
					return
				}
				answering.Go(func() {
					open.Store(&x)
					time.Sleep(50 * time.Millisecond) // the forger's time
					open.CompareAndSwap(&x, nil)
					x.answer(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.1")
				})
			})
			s := startServer(t, withUpstreams(t, up.addr), testLeases())
			t.Cleanup(answering.Wait)
			stop, ended := make(chan struct{}), make(chan struct{})
			asked, fooled, failed := 0, 0, 0
			go func() {
				defer close(ended)
				for ; ; asked++ {
					select {
					case <-stop:
						return
					default:
					}
					m := new(dns.Msg).SetQuestion(questionFor(asked), dns.TypeA)
					r, _, err := (&dns.Client{Timeout: 10 * time.Second}).Exchange(m, s.at)
					switch {
					case err == nil && strings.Contains(brief(r), "192.0.2.66"):
						fooled++
					case err != nil || !strings.Contains(brief(r), "192.0.2.1"):
						failed++ // the flood fills the kernel's queues: packets of ours are lost too
					}
				}
			}()
			sender := ipv4.NewPacketConn(up.udp)
			batch := make([]ipv4.Message, 64)
			sent, started := int64(0), time.Now()
			for sent < c.tries {
				x := open.Load()
				if x == nil {
					time.Sleep(time.Millisecond)
					continue
				}
				forged := x.reply(dns.RcodeSuccess, x.query.Question[0].Name+" 300 A 192.0.2.66")
				wire := packMsg(forged)
				for i := range batch {
					copied := append([]byte(nil), wire...)
					to := *x.from.(*net.UDPAddr)
					if !c.port {
						to.Port = s.ports.low + rand.IntN(65536-s.ports.low)
					}
					if !c.id {
						_, _ = crypto.Read(copied[:2])
					}
					if !c.letters {
						lower(copied[headerSize : headerSize+len(x.query.Question[0].Name)])
						var bits [maxName]byte
						_, _ = crypto.Read(bits[:])
						mixCase(copied[headerSize:headerSize+len(x.query.Question[0].Name)], bits[:])
					}
					batch[i] = ipv4.Message{Buffers: [][]byte{copied}, Addr: &to}
				}
				n, err := sender.WriteBatch(batch, 0)
				if err != nil {
					continue // ICMP of a closed port
				}
				sent += int64(n)
			}
			close(stop)
			<-ended
			t.Logf("%d forged answers in %v, during %d questions: %d fooled, %d failed, %d packets ignored, %d questions over TCP",
				sent, time.Since(started).Round(time.Second), asked, fooled, failed, s.Stats()["reply_ignored"], up.streams.Load())
			if (fooled > 0) != c.fooled {
				t.Errorf("fooled %d times", fooled)
			}
			if failed > asked/10+1 {
				t.Errorf("%d of %d questions got no answer", failed, asked)
			}
		})
	}
}

// questionFor has 40 letters, each with its case.
func questionFor(i int) string {
	return fmt.Sprintf("n%d.abcdefghijklmnopqrstuvwxyzabcdefgh.example.org.", i)
}
