package observe

import (
	"testing"

	"labnet/internal/nettest"
)

func TestMain(m *testing.M) { nettest.Main(m) }
