package dhcpserver

import (
	"context"
	"log/slog"

	"labnet/leases"
)

// Server serves one link.
type Server struct{}

// Listen opens the sockets of a link and returns its server; Run serves. It must be called in the network namespace of the link.
func Listen(cfg Config, table *leases.Table, log *slog.Logger) (*Server, error) { panic("stub") }

// Run serves the link until ctx ends, then answers what is under way and closes the sockets.
func (s *Server) Run(ctx context.Context) error { panic("stub") }

// Reconfigure swaps the configuration for the next message on; the interface and the network stay the same.
func (s *Server) Reconfigure(cfg Config) error { panic("stub") }
