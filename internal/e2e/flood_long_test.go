//go:build long

package e2e

import "testing"

// TestFloodOfAMillion is TestFlood as fast as the link takes it.
func TestFloodOfAMillion(t *testing.T) { flood(t, 1_000_000, 0) }
