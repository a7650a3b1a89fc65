// Package metrics shows the counters of the parts to Prometheus, and answers probes: as a handler, and on a TCP port of its own.
package metrics
