package daemon

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/config"
	"labnet/internal/nettest"
	"labnet/leases"
	"labnet/netcfg"
)

// guestList is a host that only takes note, and counts how often it is told.
type guestList struct {
	mu       sync.Mutex // guards what follows
	bindings map[netcfg.Binding]bool
	names    map[netcfg.GuestName]netip.Addr
	told     int
}

func (l *guestList) SetGuests(g netcfg.Guests) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bindings, l.names, l.told = g.Bindings, g.Names, l.told+1
}

func (l *guestList) ChangeGuests(c netcfg.GuestChanges) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told++
	for _, b := range c.Remove {
		delete(l.bindings, b)
	}
	for _, b := range c.Add {
		l.bindings[b] = true
	}
	for name, addr := range c.Names {
		if addr.IsValid() {
			l.names[name] = addr
		} else {
			delete(l.names, name)
		}
	}
}

func (l *guestList) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprint(l.bindings, l.names)
}

const followConfig = `
network "lab" {
  address = "10.0.0.1/16"
  bridge { guard = "strict" }
  host "fixed" {
    mac     = "02:00:00:00:00:01"
    address = "10.0.0.9"
  }
  host "web" { hostname = "web" }
  publish "web" {
    listen = 80
    host   = "web"
  }
}
`

// bound is a lease as events show it.
func bound(mac byte, addr, name string) leases.Lease {
	return leases.Lease{
		Network: "lab", Addr: netip.MustParseAddr(addr), HWAddr: leases.HWAddr([]byte{2, 0, 0, 0, 0, mac}), Name: name, RequestedName: name,
		State: leases.Bound, Start: time.Unix(int64(mac), 0),
	}
}

func ended(l leases.Lease) leases.Lease {
	l.State = leases.Released
	return l
}

func TestGuestRoll(t *testing.T) {
	binding := func(mac byte, addr string) netcfg.Binding {
		return netcfg.Binding{Network: "lab", MAC: netcfg.MAC{2, 0, 0, 0, 0, mac}, Addr: netip.MustParseAddr(addr)}
	}
	web := netcfg.GuestName{Network: "lab", Name: "web"}
	addr := netip.MustParseAddr
	for _, tc := range []struct {
		name   string
		before []leases.Lease
		then   []leases.Lease
		want   netcfg.GuestChanges
	}{
		{name: "a lease", then: []leases.Lease{bound(2, "10.0.0.2", "")}, want: netcfg.GuestChanges{Add: []netcfg.Binding{binding(2, "10.0.0.2")}}},
		{name: "the same again", before: []leases.Lease{bound(2, "10.0.0.2", "")}, then: []leases.Lease{bound(2, "10.0.0.2", "")}},
		{
			name: "an ended one", before: []leases.Lease{bound(2, "10.0.0.2", "")}, then: []leases.Lease{ended(bound(2, "10.0.0.2", ""))},
			want: netcfg.GuestChanges{Remove: []netcfg.Binding{binding(2, "10.0.0.2")}},
		},
		{
			name: "another card", before: []leases.Lease{bound(2, "10.0.0.2", "")}, then: []leases.Lease{bound(3, "10.0.0.2", "")},
			want: netcfg.GuestChanges{Add: []netcfg.Binding{binding(3, "10.0.0.2")}, Remove: []netcfg.Binding{binding(2, "10.0.0.2")}},
		},
		{
			name: "come and gone", then: []leases.Lease{bound(2, "10.0.0.2", ""), ended(bound(2, "10.0.0.2", ""))},
			want: netcfg.GuestChanges{Remove: []netcfg.Binding{binding(2, "10.0.0.2")}}, // who isn't known needs no removal, but none does harm
		},
		{name: "gone and come", before: []leases.Lease{bound(2, "10.0.0.2", "")}, then: []leases.Lease{ended(bound(2, "10.0.0.2", "")), bound(2, "10.0.0.2", "")}, want: netcfg.GuestChanges{Add: []netcfg.Binding{binding(2, "10.0.0.2")}}},
		{name: "the end of a fixed one", before: []leases.Lease{bound(1, "10.0.0.9", "fixed")}, then: []leases.Lease{ended(bound(1, "10.0.0.9", "fixed"))}},
		{name: "of no network here", then: []leases.Lease{{Network: "other", Addr: addr("10.9.0.2"), HWAddr: "\x02\x00\x00\x00\x00\x02", State: leases.Bound}}},
		{name: "of no Ethernet", then: []leases.Lease{{Network: "lab", Addr: addr("10.0.0.2"), HWAddr: "\x02", State: leases.Bound}}},
		{
			name: "a host that is published", then: []leases.Lease{bound(2, "10.0.0.2", "web")},
			want: netcfg.GuestChanges{Add: []netcfg.Binding{binding(2, "10.0.0.2")}, Names: map[netcfg.GuestName]netip.Addr{web: addr("10.0.0.2")}},
		},
		{
			name: "that moves", before: []leases.Lease{bound(2, "10.0.0.2", "web")}, then: []leases.Lease{bound(3, "10.0.0.3", "web"), ended(bound(2, "10.0.0.2", "web"))},
			want: netcfg.GuestChanges{
				Add: []netcfg.Binding{binding(3, "10.0.0.3")}, Remove: []netcfg.Binding{binding(2, "10.0.0.2")}, Names: map[netcfg.GuestName]netip.Addr{web: addr("10.0.0.3")},
			},
		},
		{
			name: "that ends", before: []leases.Lease{bound(2, "10.0.0.2", "web")}, then: []leases.Lease{ended(bound(2, "10.0.0.2", "web"))},
			want: netcfg.GuestChanges{Remove: []netcfg.Binding{binding(2, "10.0.0.2")}, Names: map[netcfg.GuestName]netip.Addr{web: {}}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newGuestRoll(load(t, followConfig))
			for _, l := range tc.before {
				r.note(l)
			}
			if g := r.guests(); !g.Bindings[binding(1, "10.0.0.9")] {
				t.Error("the fixed binding is missing")
			}
			for _, l := range tc.then {
				r.note(l)
			}
			got, any := r.changes()
			if diff := cmp.Diff(tc.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if any != (len(tc.want.Add)+len(tc.want.Remove)+len(tc.want.Names) > 0) {
				t.Errorf("any: %v", any)
			}
		})
	}
}

func TestHolds(t *testing.T) {
	l := bound(2, "10.0.0.2", "web")
	l.ID = leases.ClientIDFromOption([]byte("\x01id"))
	for _, tc := range []struct {
		name string
		host config.Host
		want bool
	}{
		{"its card", config.Host{Name: "a", MAC: "\x02\x00\x00\x00\x00\x02"}, true},
		{"another's card", config.Host{Name: "web", MAC: "\x02\x00\x00\x00\x00\x03"}, false},
		{"its identifier", config.Host{Name: "a", ClientID: "\x01id"}, true},
		{"its name", config.Host{Name: "web", Hostname: "web"}, true},
		{"the name that it says, which another one has", config.Host{Name: "shop", Hostname: "web"}, false},
		{"nothing to know it by", config.Host{Name: "web", Address: netip.MustParseAddr("10.0.0.2")}, false},
	} {
		if got := holds(tc.host, l); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

// A crowd of leases is told in a few changes, and what is lost on the way is looked up.
func TestGuestFeedFollows(t *testing.T) {
	b := newHookBench(t)
	list := &guestList{}
	feed := newGuestFeed(list, b.table, slog.New(slog.DiscardHandler))
	b.runUntilTheEnd(feed.run)
	feed.reconfigure(load(t, followConfig))
	const crowd = 2000
	client := func(i int) leases.Client {
		hw := leases.HWAddr([]byte{2, 1, 0, 0, byte(i >> 8), byte(i)})
		return leases.Client{ID: leases.ClientIDFromHardware(1, []byte(hw)), HWType: 1, HWAddr: hw}
	}
	var got sync.WaitGroup
	for i := range crowd {
		lease, _, err := b.table.Offer("lab", client(i), netip.Addr{}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		change, err := b.table.Bind("lab", client(i), lease.Addr, time.Hour, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got.Add(1)
		b.table.Submit([]leases.Change{change}, func(error) { got.Done() })
	}
	got.Wait()
	nettest.Eventually(t, 20*time.Second, func() error {
		list.mu.Lock()
		defer list.mu.Unlock()
		if len(list.bindings) != crowd+1 {
			return fmt.Errorf("%d bindings are known", len(list.bindings))
		}
		return nil
	})
	list.mu.Lock()
	if list.told > crowd/4 {
		t.Errorf("%d leases were told in %d changes", crowd, list.told)
	}
	list.mu.Unlock()
	feed.reconfigure(load(t, `network "lab" { address = "10.0.0.1/16" }`))
	if got := list.String(); got != "map[] map[]" {
		t.Errorf("without rules that go by leases, these are known: %.200s", got)
	}
}

func TestUnitOfAProcess(t *testing.T) {
	for _, tc := range []struct{ cgroup, want string }{
		{"0::/system.slice/ssh.service\n", "ssh.service"},
		{"12:pids:/user.slice\n1:name=systemd:/system.slice/nginx.service/worker\n", "nginx.service"},
		{"0::/user.slice/user-0.slice/session-1.scope\n", ""},
		{"0::/\n", ""},
		{"nonsense", ""},
	} {
		if got := unitIn(tc.cgroup); got != tc.want {
			t.Errorf("%q: %q", tc.cgroup, got)
		}
	}
}
