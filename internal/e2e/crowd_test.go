package e2e

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
)

// crowd is clients that lease, renew, release and decline, each in an order of its own, and what they have done.
type crowd struct {
	swarm   *swarm
	server  netip.Addr
	clients int
	seed    uint64
	rebinds bool // the machine has a neighbour entry for each address: what has ciaddr is answered by unicast

	mu   sync.Mutex // guards done
	done map[string]int
}

// run lets every client do one thing after the other until over is closed.
func (c *crowd) run(round int, over <-chan struct{}) (wait func()) {
	c.swarm.over = over
	var running sync.WaitGroup
	for i := range c.clients {
		random := rand.New(rand.NewPCG(c.seed, uint64(round*c.clients+i)))
		running.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				c.count(c.step(swarmMAC(i), random))
			}
		})
	}
	return running.Wait
}

func (c *crowd) count(what string, err error) {
	if err != nil {
		what += " in vain"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[what]++
}

// step is one thing that a client does.
func (c *crowd) step(mac net.HardwareAddr, random *rand.Rand) (what string, err error) {
	held, holds := c.swarm.holds(mac)
	if !holds {
		_, err := c.swarm.lease(mac, 1)
		return "lease", err
	}
	switch p := random.IntN(20); {
	case p < 8 && c.rebinds:
		_, err := c.swarm.rebind(mac, held.addr, 1)
		return "rebind", err
	case p < 14:
		_, err := c.swarm.reboot(mac, held.addr, 1)
		return "reboot", err
	case p < 15:
		_, err := c.swarm.lease(mac, 1)
		return "lease again", err
	case p < 19:
		return "release", c.swarm.release(mac, c.server)
	default:
		return "decline", c.swarm.decline(mac, c.server)
	}
}
