package dhcpserver

import (
	"os"
	"slices"
	"testing"

	"labnet/internal/nettest"
)

func TestMain(m *testing.M) {
	// A worker of `go test -fuzz` is the child of a process that is in its namespaces already.
	if slices.Contains(os.Args, "-test.fuzzworker") {
		os.Exit(m.Run())
	}
	nettest.Main(m)
}
