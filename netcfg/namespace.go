package netcfg

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// kernel tells and changes the network of one namespace. It is implemented by namespace, on the real kernel, and by memory in
// the tests.
type kernel interface {
	// observe looks at everything, and at the sysctls that cfg needs. rec is what is remembered of this host.
	observe(cfg Config, rec record) (*facts, error)
	// do makes one step of a plan: a single change, or several of the firewall at once.
	do(step []Change) error
	// endStale makes the kernel decide those connections anew that cfg would not have let through, or not like this.
	endStale(cfg Config, f *facts) (int, error)

	// The follower's part, which may be called beside the rest, by one goroutine at a time.

	// edit changes elements of sets at once.
	edit(changes []Change) error
	// readSet reads the elements of a set that has the types of s.
	readSet(id setID, s set) (map[string]string, error)
	// portOf is the index of the port behind which a bridge has seen a MAC address; errNoLink if there is none.
	portOf(bridge int, mac MAC) (int, error)
	// learned is that for all that a bridge has seen.
	learned(bridge int) (map[MAC]int, error)
	// endMoved makes the kernel decide those connections to the host's addresses anew that go another way than moved says.
	endMoved(moved movedPorts, host map[netip.Addr]bool) (int, error)
}

// namespace is a network namespace of the kernel. Its sockets belong to it wherever they are used; what goes by the calling
// thread's namespace (opening sockets, /proc/sys/net) runs inside.
type namespace struct {
	file     *os.File // of the namespace
	identity unix.Stat_t
	cookie   uint64 // of the namespace, unique since boot; 0 if the kernel doesn't tell
	machine  string
	route    *netlink.Conn
	filter   *netlink.Conn // nil where netfilter isn't supported
	noFilter error

	edits, places *netlink.Conn // the follower's: filter (nil where that is) and route
}

const threadNamespace = "/proc/thread-self/ns/net"

// openNamespace binds to the namespace of the calling thread.
func openNamespace() (*namespace, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	file, err := os.Open(threadNamespace)
	if err != nil {
		return nil, fmt.Errorf("opening the network namespace: %w", err)
	}
	ns := &namespace{file: file, machine: machineID()}
	if err := unix.Fstat(int(file.Fd()), &ns.identity); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the network namespace: %w", err), file.Close())
	}
	if ns.route, err = netlink.Dial(unix.NETLINK_ROUTE, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("opening a route netlink socket: %w", err), file.Close())
	}
	if ns.places, err = netlink.Dial(unix.NETLINK_ROUTE, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("opening a route netlink socket: %w", err), ns.route.Close(), file.Close())
	}
	ns.cookie = namespaceCookie(ns.route)
	// Without it Check can say what is missing.
	if ns.filter, ns.noFilter = netlink.Dial(unix.NETLINK_NETFILTER, nil); ns.noFilter == nil {
		if ns.edits, err = netlink.Dial(unix.NETLINK_NETFILTER, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("opening a netfilter netlink socket: %w", err), ns.close())
		}
	}
	return ns, nil
}

func (ns *namespace) close() error {
	errs := []error{ns.route.Close(), ns.places.Close(), ns.file.Close()}
	for _, conn := range []*netlink.Conn{ns.filter, ns.edits} {
		if conn != nil {
			errs = append(errs, conn.Close())
		}
	}
	return errors.Join(errs...)
}

func namespaceCookie(conn *netlink.Conn) uint64 {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	var cookie uint64
	_ = raw.Control(func(fd uintptr) { cookie, _ = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE) })
	return cookie
}

// machineID is what stays the same from run to run: the machine's id, or without one the boot's.
func machineID() string {
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id", bootIDFile} {
		if id, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(id))) > 0 && !strings.HasPrefix(string(id), "uninitialized") {
			return strings.TrimSpace(string(id))
		}
	}
	return ""
}

// inside calls f on a thread that is in the namespace. f must not start goroutines that rely on it.
func (ns *namespace) inside(f func() error) error {
	done := make(chan error, 1)
	go ns.runInside(f, done)
	return <-done
}

func (ns *namespace) runInside(f func() error, done chan<- error) {
	runtime.LockOSThread()
	var here unix.Stat_t
	if err := unix.Stat(threadNamespace, &here); err != nil {
		runtime.UnlockOSThread()
		done <- fmt.Errorf("looking for the thread's network namespace: %w", err)
		return
	}
	if here.Ino == ns.identity.Ino && here.Dev == ns.identity.Dev {
		// The usual case, which needs no privilege.
		err := f()
		runtime.UnlockOSThread()
		done <- err
		return
	}
	home, err := os.Open(threadNamespace)
	if err != nil {
		runtime.UnlockOSThread()
		done <- fmt.Errorf("remembering the thread's network namespace: %w", err)
		return
	}
	defer func() { _ = home.Close() }()
	if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		done <- fmt.Errorf("entering the network namespace: %w", err)
		return
	}
	err = f()
	// A thread that can't be brought back stays locked: it ends with the goroutine, so that no other inherits its namespace.
	if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	done <- err
}

func (ns *namespace) observe(cfg Config, rec record) (*facts, error) {
	if ns.filter == nil && !noNftables(ns.noFilter) {
		return nil, fmt.Errorf("opening a netfilter netlink socket: %w", ns.noFilter)
	}
	if ns.filter == nil {
		return ns.observeNetwork(cfg, rec, map[tableID]*table{})
	}
	tables, err := readTables(ns.filter)
	if err != nil {
		return nil, explain(err)
	}
	f, err := ns.observeNetwork(cfg, rec, tables)
	if err != nil {
		return nil, err
	}
	return f, ns.observeTracking(f)
}

// observeNetwork is observe without reading the firewall: it needs no privilege.
func (ns *namespace) observeNetwork(cfg Config, rec record, tables map[tableID]*table) (*facts, error) {
	f := &facts{machine: ns.machine, record: rec, tables: tables}
	var err error
	if f.links, err = readLinks(ns.route); err != nil {
		return nil, err
	}
	if f.addresses, err = readAddresses(ns.route); err != nil {
		return nil, err
	}
	if f.routes, err = readRoutes(ns.route); err != nil {
		return nil, err
	}
	if f.routed6, err = readRouted6(ns.route); err != nil {
		return nil, err
	}
	f.record = rec.follow(f.links)
	if f.accounts, err = lookUpAccounts(cfg); err != nil {
		return nil, err
	}
	if err := ns.inside(func() (err error) {
		f.sysctls, err = readSysctls(f.sysctlKeys(cfg))
		return err
	}); err != nil {
		return nil, err
	}
	f.recall()
	return f, nil
}

// explain adds to a refusal for want of privilege which one is missing.
func explain(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w (this needs the capability CAP_NET_ADMIN: run as root, or let systemd give it by AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW)", err)
	}
	return err
}

func (ns *namespace) do(step []Change) error {
	err := ns.change(step)
	if err != nil {
		return explain(err)
	}
	return nil
}

func (ns *namespace) change(step []Change) error {
	switch c := step[0].(type) {
	case firewallChange:
		tx := &transaction{}
		for _, c := range step {
			c.(firewallChange).encode(tx)
		}
		if ns.filter == nil {
			return ns.noFilter
		}
		return commit(ns.filter, tx)
	case addTAP, remakeTAP, setTAP, delTAP:
		return ns.changeTAP(step)
	case addBridge:
		if err := createBridge(ns.route, c.name, c.to); err != nil {
			return fmt.Errorf("creating bridge %s: %w", c.name, err)
		}
		return ns.configure(c.name, c.to)
	case setBridge:
		return ns.configure(c.name, c.to)
	case setSysctl:
		return ns.inside(func() error { return writeSysctl(c.key, c.to) })
	case addAddress:
		l, err := findLink(ns.route, c.link)
		if err != nil {
			return err
		}
		return wrap(createAddress(ns.route, l.index, c.prefix), "adding %s to %s", c.prefix, c.link)
	case delAddress:
		l, err := findLink(ns.route, c.link)
		if err != nil {
			return err
		}
		return wrap(deleteAddress(ns.route, l.index, c.prefix), "removing %s from %s", c.prefix, c.link)
	case addRoute, delRoute:
		return ns.changeRoute(step[0])
	case delBridge:
		if len(step) > 1 {
			return ns.removeBridges(step)
		}
		l, err := findLink(ns.route, c.name)
		if err != nil {
			return err
		}
		return wrap(deleteLink(ns.route, l.index), "removing bridge %s", c.name)
	case attachPort:
		l, err := findLink(ns.route, c.name)
		if errors.Is(err, errNoLink) {
			return nil // its guest has gone already
		}
		if err != nil {
			return err
		}
		b, err := findLink(ns.route, c.bridge)
		if err != nil {
			return err
		}
		put := attach
		if c.isolated {
			put = attachIsolated
		}
		return wrap(gone(put(ns.route, l.index, b.index)), "attaching %s to %s", c.name, c.bridge)
	case setPort:
		l, err := findLink(ns.route, c.name)
		if errors.Is(err, errNoLink) {
			return nil
		}
		if err != nil {
			return err
		}
		return wrap(gone(isolate(ns.route, l.index, c.isolated)), "setting the isolation of %s on %s", c.name, c.bridge)
	case setHairpin:
		l, err := findLink(ns.route, c.name)
		if errors.Is(err, errNoLink) {
			return nil
		}
		if err != nil {
			return err
		}
		return wrap(gone(configureHairpin(ns.route, l.index, c.on)), "setting the hairpin mode of %s", c.name)
	case detachPort:
		l, err := findLink(ns.route, c.name)
		if errors.Is(err, errNoLink) {
			return nil
		}
		if err != nil {
			return err
		}
		return wrap(gone(detach(ns.route, l.index, c.restoreDown)), "detaching %s from %s", c.name, c.bridge)
	}
	panic(fmt.Sprintf("netcfg: a change of unknown type: %T", step[0]))
}

// gone makes nothing of a link that vanished meanwhile, as guests' links do.
func gone(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

func (ns *namespace) configure(name string, to bridge) error {
	l, err := findLink(ns.route, name)
	if err != nil {
		return err
	}
	return wrap(configureBridge(ns.route, l, to), "configuring bridge %s", name)
}
