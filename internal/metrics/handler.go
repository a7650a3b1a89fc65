package metrics

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Health is what a probe wants to know.
type Health struct {
	Ready bool
	Kinds []string // of what is wrong where it isn't; no more of it is said to whoever can reach the port
}

// Handlers are the ways in.
type Handlers struct {
	// Metrics answers in Prometheus' text format, or in OpenMetrics for who asks for that.
	Metrics http.Handler
	// Port is what the TCP port serves: GET /metrics, /healthz, which says that the daemon answers at all, and /readyz, which says whether all is
	// well: 200 or 503.
	Port http.Handler
}

// New makes the handlers. read gives the counters, health how the daemon is; both may be called by any goroutine, and only one calls read
// at a time.
func New(version string, read func() Reading, health func() Health, log *slog.Logger) (Handlers, error) {
	registry, err := newRegistry(version, read)
	if err != nil {
		return Handlers{}, fmt.Errorf("registering metrics: %w", err)
	}
	// Not compressed: it is little, and who asks all day would have us work.
	metrics := whole(promhttp.HandlerFor(&shared{from: registry}, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		DisableCompression: true, EnableOpenMetrics: true,
	}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		health() // which takes the locks that everything needs
		say(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if h := health(); !h.Ready {
			say(w, http.StatusServiceUnavailable, "degraded: "+strings.Join(h.Kinds, ", ")+"; `labnet status` says more")
			return
		}
		say(w, http.StatusOK, "ready")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusOK, "labnet: /metrics for Prometheus, /healthz and /readyz for probes")
	})
	return Handlers{Metrics: metrics, Port: mux}, nil
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}

// whole lets h write into memory first: a client that reads slowly holds up only itself.
func whole(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := buffered{header: w.Header(), status: http.StatusOK}
		h.ServeHTTP(&answer, r)
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body.Bytes())
	})
}

// buffered is an answer that isn't sent yet.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffered) Header() http.Header               { return b.header }
func (b *buffered) WriteHeader(status int)            { b.status = status }
func (b *buffered) Write(p []byte) (int, error)       { return b.body.Write(p) }
func (b *buffered) WriteString(s string) (int, error) { return b.body.WriteString(s) }
