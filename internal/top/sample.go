package top

import (
	"context"
	"time"

	"labnet/internal/control"
)

// Sample is what a daemon says at a moment.
type Sample struct {
	At     time.Time
	Status control.Status
	Ports  []control.Port
	Leases []control.Lease // those in force, and the guests that are observed
}

// Daemon is what is asked. Implementations: control.Client, and a table in tests.
type Daemon interface {
	Status(ctx context.Context) (control.Status, error)
	Ports(ctx context.Context, network string) ([]control.Port, error)
}

// take asks for a sample, the leases aside.
func take(ctx context.Context, d Daemon, network string) (Sample, error) {
	s := Sample{}
	var err error
	if s.Status, err = d.Status(ctx); err != nil {
		return s, err
	}
	if s.Ports, err = d.Ports(ctx, network); err != nil {
		return s, err
	}
	s.At = time.Now()
	if network != "" {
		s.Status.Networks = only(s.Status.Networks, network)
	}
	return s, nil
}

func only(all []control.Network, name string) []control.Network {
	for _, n := range all {
		if n.Name == name {
			return []control.Network{n}
		}
	}
	return nil
}
