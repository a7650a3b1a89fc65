//go:build long

package e2e

import "testing"

// TestBridgedKilledForLong is TestBridgedKilledAtAnyMoment for longer.
func TestBridgedKilledForLong(t *testing.T) { bridgedKilled(t, 60) }
