package blocklist

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// wire is a name in wire format.
func wire(t testing.TB, text string) []byte {
	t.Helper()
	var buffer wireName
	n, err := buffer.parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return append([]byte(nil), n...)
}

// setOf makes a set of lines.
func setOf(t testing.TB, lines ...string) *Set {
	t.Helper()
	b := testBuilder(t)
	p := parser{add: b.add}
	for _, line := range lines {
		if err := p.line([]byte(line)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return finished(t, b)
}

func testBuilder(t testing.TB) *builder {
	t.Helper()
	b, err := newBuilder()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func finished(t testing.TB, b *builder) *Set {
	t.Helper()
	s, err := b.done()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMatch(t *testing.T) {
	allow, err := Allow([]string{"Fine.ads.example"})
	if err != nil {
		t.Fatal(err)
	}
	l := List{
		setOf(t, "0.0.0.0 exact.example", "ads.example", "||deep.one.example^"),
		setOf(t, "@@||good.ads.example^", "0.0.0.0 both.example", "both.example", "*.zip"),
		allow,
	}
	for _, c := range []struct {
		name string
		want string // the part that blocks; "" for none, "-" for an exception
	}{
		{"exact.example", "exact.example"},
		{"www.exact.example", ""},
		{"example", ""},
		{"ads.example", "ads.example"},
		{"a.b.ads.example", "ads.example"},
		{"badads.example", ""},
		{"good.ads.example", "-"},
		{"very.good.ads.example", "-"},
		{"fine.ads.example", "-"},
		{"x.fine.ads.example", "-"},
		{"deep.one.example", "deep.one.example"},
		{"one.example", ""},
		{"both.example", "both.example"},
		{"x.both.example", "both.example"},
		{"a.zip", "zip"},
		{"zip", "zip"},
		{"zip.example", ""},
	} {
		n := wire(t, c.name)
		v, at := l.Match(n)
		got := ""
		switch v {
		case Blocked:
			got = c.name[at:]
		case Exempted:
			got = "-"
		}
		if got != c.want {
			t.Errorf("%s is blocked by %q, want %q", c.name, got, c.want)
		}
	}
	if v, _ := l.Match([]byte{0}); v != Unlisted {
		t.Error("the root is blocked")
	}
	if v, _ := List(nil).Match(wire(t, "ads.example")); v != Unlisted {
		t.Error("no list blocks")
	}
}

// TestSetAgainstAMap holds a set equal to a map, through every growth of the table.
func TestSetAgainstAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	want := map[string]Reach{}
	b := testBuilder(t)
	for range 30000 {
		name := fmt.Sprintf("%s%d.example", strings.Repeat("x", r.IntN(3)*20), r.IntN(20000))
		reach := Reach(1 << r.IntN(3))
		n := wire(t, name)
		if err := b.add(n, reach); err != nil {
			t.Fatal(err)
		}
		want[string(n)] |= reach
	}
	s := finished(t, b)
	if s.Len() != len(want) {
		t.Errorf("%d names, want %d", s.Len(), len(want))
	}
	for n, reach := range want {
		if got := s.reach([]byte(n)); got != reach {
			t.Errorf("%q: %b, want %b", n, got, reach)
		}
	}
	for i := range 20000 {
		n := wire(t, fmt.Sprintf("y%d.example", i))
		if got := s.reach(n); got != 0 {
			t.Errorf("%q: %b, want nothing", n, got)
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	l := List{setOf(t, "ads.example", "0.0.0.0 exact.example")}
	blocked, free := wire(t, "a.b.c.ads.example"), wire(t, "www.example.org")
	if n := testing.AllocsPerRun(100, func() { l.Match(blocked); l.Match(free) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
