package leases

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
)

// Memory is a Store that forgets everything with the process: for tests, and for networks that may forget.
type Memory struct {
	mu      sync.Mutex
	leases  map[place]Lease
	fail    func(leases []Lease) error
	commits int
}

type place struct {
	network string
	addr    netip.Addr
}

// NewMemory returns an empty store that holds leases.
func NewMemory(leases ...Lease) *Memory {
	m := &Memory{leases: make(map[place]Lease)}
	for _, l := range leases {
		m.leases[place{l.Network, l.Addr}] = l
	}
	return m
}

// FailWith lets every Commit ask fail first; what it returns is what the commit fails with, and nil lets it through. fail
// may block, as a disk does. FailWith(nil) ends it.
func (m *Memory) FailWith(fail func(leases []Lease) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = fail
}

// Commits returns how many commits have succeeded.
func (m *Memory) Commits() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.commits
}

// Load returns what is stored, ordered by network and address.
func (m *Memory) Load(context.Context) ([]Lease, []BadRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.leases), func(a, b Lease) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), a.Addr.Compare(b.Addr))
	}), nil, nil
}

// Commit stores leases, or fails as FailWith says.
func (m *Memory) Commit(_ context.Context, leases []Lease) error {
	m.mu.Lock()
	fail := m.fail
	m.mu.Unlock()
	if fail != nil {
		if err := fail(leases); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits++
	for _, l := range leases {
		m.leases[place{l.Network, l.Addr}] = l
	}
	return nil
}

// Err returns nil.
func (m *Memory) Err() error { return nil }

// Close does nothing.
func (m *Memory) Close() error { return nil }
