package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
)

// newRegistry has labnet's metrics, and those of the process and of Go's runtime.
func newRegistry(version string, read func() Reading) (*prometheus.Registry, error) {
	registry := prometheus.NewPedanticRegistry()
	for _, c := range []prometheus.Collector{
		newCollector(version, read), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return registry, nil
}

// sharedFor is how long one reading serves everybody who asks: however many do, the parts are read no oftener.
const sharedFor = 500 * time.Millisecond

// shared gives everybody the last reading for a moment.
type shared struct {
	from prometheus.Gatherer

	mu       sync.Mutex // guards the rest; held while it is read, so that nobody else reads meanwhile
	at       time.Time
	families []*dto.MetricFamily
	err      error
}

// Gather implements prometheus.Gatherer. The families must not be changed.
func (s *shared) Gather() ([]*dto.MetricFamily, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || time.Since(s.at) >= sharedFor {
		s.families, s.err = s.from.Gather()
		s.at = time.Now()
	}
	return s.families, s.err
}
