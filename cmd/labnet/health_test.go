package main

import (
	"net/http"

	"labnet/internal/control"
)

// No command asks for these: they are for programs that watch the daemon.

func (f *fake) Health() control.Health { return control.Health{State: control.Ready} }

func (f *fake) Metrics() http.Handler { return http.NotFoundHandler() }
