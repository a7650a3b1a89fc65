package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"labnet/bench/stage"
)

// What is the same for all servers: the link, its addresses, and what is leased on it.
var (
	serverAddr = netip.MustParsePrefix("10.0.0.1/16")
	relayAddr  = netip.MustParsePrefix("10.0.0.2/16")
	poolFirst  = netip.MustParseAddr("10.0.1.0")
	poolLast   = netip.MustParseAddr("10.0.255.250")
)

const (
	bridge    = "br0"   // in the server's namespace
	port      = "port0" // of the bridge; its other end is …
	clientEnd = "gen0"  // … in ours
)

// bed is where one server runs: a namespace with a bridge that our end of a veth pair is plugged into, and a directory.
type bed struct {
	name string
	dir  string
}

// makeBed makes a namespace with the link; ownBridge leaves the bridge to the server.
func makeBed(dir, name string, ownBridge bool) (_ *bed, err error) {
	b := &bed{name: name, dir: filepath.Join(dir, name)}
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.remove()
		}
	}()
	steps := [][]string{
		{"netns", "add", b.name},
		{"link", "add", clientEnd, "type", "veth", "peer", "name", port, "netns", b.name},
		{"address", "add", relayAddr.String(), "dev", clientEnd},
		{"link", "set", clientEnd, "up"},
		{"-n", b.name, "link", "set", "lo", "up"},
		{"-n", b.name, "link", "set", port, "up"},
	}
	if !ownBridge {
		steps = append(steps, [][]string{
			{"-n", b.name, "link", "add", bridge, "type", "bridge"},
			{"-n", b.name, "link", "set", port, "master", bridge},
			{"-n", b.name, "address", "add", serverAddr.String(), "dev", bridge},
			{"-n", b.name, "link", "set", bridge, "up"},
		}...)
	}
	for _, args := range steps {
		if err := stage.IP(args...); err != nil {
			return nil, err
		}
	}
	if !ownBridge {
		return b, b.awaitCarrier()
	}
	return b, nil
}

// awaitCarrier waits until the bridge runs: Kea leaves out an interface that doesn't yet.
func (b *bed) awaitCarrier() error {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		out, err := exec.Command("ip", "-n", b.name, "-o", "link", "show", bridge).Output()
		if err != nil {
			return fmt.Errorf("looking at the bridge: %w", err)
		}
		if strings.Contains(string(out), "state UP") {
			return nil
		}
	}
	return errors.New("the bridge has no carrier")
}

// remove takes the bed away. What it can't is gone with our namespaces.
func (b *bed) remove() {
	_ = stage.IP("link", "del", clientEnd)
	_ = stage.IP("netns", "del", b.name)
	_ = os.RemoveAll(b.dir)
}

// start runs a command in the bed's namespace, on some CPUs.
func (b *bed) start(cpus []int, env []string, args ...string) (*stage.Process, error) {
	return stage.Start(stage.Command{Namespace: b.name, Dir: b.dir, CPUs: cpus, Env: env, Args: args})
}
