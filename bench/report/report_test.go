package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	var out strings.Builder
	Table(&out, []string{"server", "rate"}, [][]string{{"a", Thousands(1234567.4)}, {"b", Thousands(999)}})
	want := "| server | rate |\n| --- | --- |\n| a | 1,234,567 |\n| b | 999 |\n\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Thousands(0), "0"},
		{Thousands(1000), "1,000"},
		{Thousands(999999.6), "1,000,000"},
		{Milliseconds(1234 * time.Microsecond), "1.23"},
		{Percent(1, 3), "33.333 %"},
		{Percent(0, 0), "0.000 %"},
		{Yes(true), "yes"},
		{Yes(false), "**no**"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
	if got := Median([]int{5, 1, 3}, func(i int) int { return -i }); got != -3 {
		t.Errorf("the median is %d, want -3", got)
	}
}

// TestReplace replaces one target's results in a document that has those of two.
func TestReplace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "doc.md")
	other := BeginMarker("bench-b") + "b\n" + EndMarker
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func() string {
		t.Helper()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	write("1\n" + BeginMarker("bench-a") + "old\n" + EndMarker + "2\n" + other)
	for range 2 {
		if err := Replace(name, "bench-a", "new"); err != nil {
			t.Fatal(err)
		}
	}
	want := "1\n" + BeginMarker("bench-a") + "\nnew\n" + EndMarker + "2\n" + other
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := Replace(name, "bench-c", "new"); err == nil || read() != want {
		t.Errorf("a document without the markers: %v\n%s", err, read())
	}
	write(BeginMarker("bench-a") + "no end\n")
	if err := Replace(name, "bench-a", "new"); err == nil {
		t.Error("results without an end are replaced")
	}
}
