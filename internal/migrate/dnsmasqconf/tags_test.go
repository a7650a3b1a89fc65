package dnsmasqconf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOneOfEitherNamesEachOnce has iPXE found by option 175 and by its user class, which become the same condition.
func TestOneOfEitherNamesEachOnce(t *testing.T) {
	for _, test := range []struct {
		name string
		a, b []string
		want []string
	}{
		{"the same", []string{"iPXE"}, []string{"iPXE"}, []string{"iPXE"}},
		{"another", []string{"iPXE"}, []string{"gPXE", "iPXE"}, []string{"iPXE", "gPXE"}},
	} {
		got, ok := oneOf(condition{user: test.a}, condition{user: test.b})
		if diff := cmp.Diff(test.want, got.user); !ok || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, ok, diff)
		}
	}
}
