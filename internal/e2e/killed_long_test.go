//go:build long

package e2e

import "testing"

// TestKilledTwoHundredTimes is TestKilledUnderLoadLosesNoLease for longer.
func TestKilledTwoHundredTimes(t *testing.T) { killed(t, 200) }
