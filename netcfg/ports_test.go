package netcfg

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPortsAreInTheOrderThatPeopleExpect(t *testing.T) {
	names := []string{"vm", "tap10", "tap2", "eth0", "tap1x", "tap1", "tap", "tapa", "vm1"}
	slices.SortFunc(names, compareNames)
	if diff := cmp.Diff([]string{"eth0", "tap", "tap1", "tap2", "tap10", "tap1x", "tapa", "vm", "vm1"}, names); diff != "" {
		t.Error(diff)
	}
}
