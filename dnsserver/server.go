package dnsserver

import (
	"context"
	"log/slog"
)

// Server answers DNS for every network.
type Server struct{}

// Listen opens the sockets of every network; Run serves. It must be called in the network namespace of the networks.
func Listen(cfg Config, names LeaseNames, log *slog.Logger) (*Server, error) { panic("stub") }

// Run serves until ctx ends, then answers what is under way and closes the sockets.
func (s *Server) Run(ctx context.Context) error { panic("stub") }

// Reconfigure swaps the configuration; sockets of networks that stay are kept, and the cache too.
func (s *Server) Reconfigure(cfg Config) error { panic("stub") }
