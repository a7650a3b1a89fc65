package stage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []int // nil: an error
	}{
		{"0", []int{0}},
		{"0,2-4", []int{0, 2, 3, 4}},
		{"7-7", []int{7}},
		{"", nil},
		{"3-1", nil},
		{"-1", nil},
		{"0-99999", nil},
		{"a", nil},
		{"1,", nil},
	} {
		got, err := Numbers(test.in)
		if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != (test.want == nil) {
			t.Errorf("%q: %v (-want +got):\n%s", test.in, err, diff)
		}
	}
	if got := List([]int{0, 2, 3}); got != "0,2,3" {
		t.Errorf("a list is %q", got)
	}
}

func TestHalves(t *testing.T) {
	for _, test := range []struct{ cpus, servers, clients []int }{
		{[]int{0}, []int{0}, []int{0}},
		{[]int{0, 1}, []int{0}, []int{1}},
		{[]int{0, 1, 2}, []int{0, 1}, []int{2}},
		{[]int{0, 1, 4, 5}, []int{0, 1}, []int{4, 5}},
	} {
		servers, clients := Halves(test.cpus)
		if diff := cmp.Diff([][]int{test.servers, test.clients}, [][]int{servers, clients}); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.cpus, diff)
		}
	}
}
