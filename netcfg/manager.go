package netcfg

import (
	"context"
	"log/slog"
)

// Host is the network of one network namespace, and the only one who changes it. Apply, Down and Run may be called
// from different goroutines; a lock of the namespace also keeps other processes out meanwhile.
type Host struct{}

// Open binds to the network namespace of the calling thread. recordPath is the file in which old sysctl values and what was
// made are remembered for Down, also by a later process. It changes nothing.
func Open(recordPath string, log *slog.Logger) (*Host, error) { panic("stub") }

// Close releases the sockets; the kernel's network stays as it is.
func (h *Host) Close() error { panic("stub") }

// Problem is something about the host that stands against a configuration.
type Problem struct {
	Network string // the network of the configuration that it concerns, "" for all
	Fatal   bool   // Apply would refuse
	Summary string // what is wrong, one line
	Remedy  string // what to do about it
}

// Check tells what only the host can tell: overlaps with its routes (with a free subnet as remedy), a bridge of that name that isn't
// ours, an uplink that doesn't exist, missing capabilities, foreign rules that would drop.
func (h *Host) Check(cfg Config) ([]Problem, error) { panic("stub") }

// Plan tells what Apply would change, in order; it changes nothing.
func (h *Host) Plan(cfg Config) (Plan, error) { panic("stub") }

// Apply brings the kernel to cfg and returns what it changed. If it fails half way, it goes back to what was before.
func (h *Host) Apply(ctx context.Context, cfg Config) (Plan, error) { panic("stub") }

// PlanDown tells what Down would change.
func (h *Host) PlanDown() (Plan, error) { panic("stub") }

// Down removes everything of ours and puts back what was recorded. It needs no configuration.
func (h *Host) Down(ctx context.Context) (Plan, error) { panic("stub") }

// Run keeps the kernel as the last Apply left it, until ctx ends: it attaches links that match, and repairs drift.
func (h *Host) Run(ctx context.Context) error { panic("stub") }

// Plan is the changes from one state to another: first what grows, then what shrinks.
type Plan struct {
	Grow, Shrink []Change
}

// Empty reports whether there is nothing to change.
func (p Plan) Empty() bool { return len(p.Grow) == 0 && len(p.Shrink) == 0 }

// Change is one step; a closed set of types.
type Change interface {
	// String is one line for people: "+ link br0 (bridge, mtu 1500)".
	String() string
	// Group is the heading under which it is printed: links, addresses, firewall, sysctls, ports.
	Group() string
}
