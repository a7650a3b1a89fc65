package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"labnet/bench/stage"
)

const (
	bridge = "br0"     // in the server's namespace
	port   = "port0"   // of the bridge; the clients are at its other end
	uplink = "uplink0" // to the upstream
)

// clients is how many clients there are, with an address and a socket each.
const clients = 16

// bed is where one server runs: a namespace with a bridge that the clients' link is plugged into, a link to the upstream, and a directory.
// Several are there at a time.
type bed struct {
	number int
	name   string
	dir    string
	work   workspace
	hosts  int // the server's own names, at most maxNames
}

// makeBed makes a namespace with its links, for a server with so many names of its own; ownBridge leaves the bridge to the server.
func makeBed(w workspace, number, hosts int, ownBridge bool) (_ *bed, err error) {
	name := "bed" + strconv.Itoa(number)
	b := &bed{number: number, name: name, dir: filepath.Join(w.dir, name), work: w, hosts: hosts}
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.remove()
		}
	}()
	steps := [][]string{
		{"netns", "add", name},
		{"-n", name, "link", "set", "lo", "up"},
		{"link", "add", b.end("gen"), "type", "veth", "peer", "name", port, "netns", name},
		{"link", "set", b.end("gen"), "up"},
		{"-n", name, "link", "set", port, "up"},
		{"link", "add", b.end("up"), "type", "veth", "peer", "name", uplink, "netns", name},
		{"address", "add", b.upstream().String() + "/30", "dev", b.end("up")},
		{"link", "set", b.end("up"), "up"},
		{"-n", name, "address", "add", b.upstream().Prev().String() + "/30", "dev", uplink},
		{"-n", name, "link", "set", uplink, "up"},
		{"-n", name, "route", "add", "default", "via", b.upstream().String()},
	}
	if !ownBridge {
		steps = append(steps, [][]string{
			{"-n", name, "link", "add", bridge, "type", "bridge"},
			{"-n", name, "link", "set", port, "master", bridge},
			{"-n", name, "address", "add", b.server().String(), "dev", bridge},
			{"-n", name, "link", "set", bridge, "up"},
		}...)
	}
	for _, args := range steps {
		if err := stage.IP(args...); err != nil {
			return nil, err
		}
	}
	var addresses strings.Builder
	for _, a := range b.clients() {
		fmt.Fprintf(&addresses, "address add %v/16 dev %s\n", a, b.end("gen"))
	}
	batch, err := b.write("addresses", addresses.String())
	if err != nil {
		return nil, err
	}
	return b, stage.IP("-batch", batch)
}

// end is the name of our end of a link of this bed.
func (b *bed) end(prefix string) string { return prefix + strconv.Itoa(b.number) }

// server is the server's address on the bridge, with the network's length.
func (b *bed) server() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(b.number), 0, 1}), 16)
}

// at is where the server answers.
func (b *bed) at() netip.AddrPort { return netip.AddrPortFrom(b.server().Addr(), 53) }

// upstream is the address of the upstream, behind the uplink; it comes after the server's own there.
func (b *bed) upstream() netip.Addr {
	return netip.AddrFrom4([4]byte{198, 51, 100 + byte(b.number>>6), byte(b.number<<2) + 2})
}

func (b *bed) clients() []netip.Addr {
	var all []netip.Addr
	for i := range clients {
		all = append(all, netip.AddrFrom4([4]byte{10, byte(b.number), 0, byte(2 + i)}))
	}
	return all
}

// host is the address of the i-th of the server's own names.
func (b *bed) host(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(b.number), byte(16 + i/250), byte(1 + i%250)})
}

// maxNames is how many addresses host has.
const maxNames = 50000

// start runs a server in the bed, on some CPUs.
func (b *bed) start(cpus []int, env []string, args ...string) (*stage.Process, error) {
	return stage.Start(stage.Command{Namespace: b.name, Dir: b.dir, CPUs: cpus, Env: env, Args: args})
}

// write writes a file into the bed's directory, and returns its path.
func (b *bed) write(name, text string) (string, error) {
	file := filepath.Join(b.dir, name)
	return file, os.WriteFile(file, []byte(text), 0o644)
}

// inMemory is a directory for files of the server in memory, which nobody has made yet.
func (b *bed) inMemory() string { return filepath.Join("/run", b.name) }

// remove takes the bed away. What it can't is gone with our namespaces.
func (b *bed) remove() {
	_ = stage.IP("link", "del", b.end("gen"))
	_ = stage.IP("link", "del", b.end("up"))
	_ = stage.IP("netns", "del", b.name)
	_ = os.RemoveAll(b.dir)
	_ = os.RemoveAll(b.inMemory())
}

// workspace is what all beds have in common.
type workspace struct {
	dir     string
	counter string // the upstream's
	echo    string // the compiled one
	coredns string // its binary, or ""
}

// localName is the i-th of the server's own names; they are as long as outsideName's.
func localName(i int) string { return fmt.Sprintf("h%05d.%s", i, localDomain) }

// outsideName is the i-th of the names that are asked for again and again.
func outsideName(i int) string { return fmt.Sprintf("h%05d.%s", i, outsideDomain) }

const (
	localDomain   = "vm.internal"
	outsideDomain = "example.org"
)

// startUpstream starts the upstream of all beds, on the clients' CPUs.
func startUpstream(o *options, w workspace) (*stage.Process, error) {
	if err := os.WriteFile(w.counter, make([]byte, 8), 0o644); err != nil {
		return nil, err
	}
	dir := filepath.Join(w.dir, "upstream")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return stage.Start(stage.Command{Dir: dir, CPUs: o.generatorCPUs, Env: []string{"GOMAXPROCS=2", "GOGC=off", "GODEBUG=asyncpreemptoff=1"}, Args: []string{program, "upstream", "0.0.0.0:53", w.counter}})
}
