package generator

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestOnlyRightAnswersCount takes a right answer and spoils it.
func TestOnlyRightAnswersCount(t *testing.T) {
	set := NewSet(1, func(int) string { return "h1.example.org" }, func(int, []byte) netip.Addr { return netip.MustParseAddr("192.0.2.7") })
	end := questionEnd(set.queries[0])
	record := "\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x07"
	chain := "\xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x04\x01x\xc0\x0f" + "\x01x\xc0\x0f" + record[2:]
	for _, test := range []struct {
		name   string
		answer string // after the question
		spoil  func(m []byte) []byte
		want   Result
		fault  string
	}{
		{name: "right", answer: record, want: Result{Answers: 1}},
		{name: "behind a CNAME, with another owner", answer: chain, spoil: func(m []byte) []byte { m[7] = 2; return m }, want: Result{Answers: 1}},
		{name: "another address", answer: record[:15] + "\x08", want: Result{Wrong: 1}, fault: "without the address"},
		{name: "no record", spoil: func(m []byte) []byte { m[7] = 0; return m }, want: Result{Wrong: 1}, fault: "without the address"},
		{name: "half a record", answer: record[:9], want: Result{Wrong: 1}, fault: "cut off"},
		{name: "half an address", answer: record[:14], want: Result{Wrong: 1}, fault: "cut off"},
		{name: "truncated", answer: record, spoil: func(m []byte) []byte { m[2] |= 2; return m }, want: Result{Wrong: 1}, fault: "cut off"},
		{name: "a question", answer: record, spoil: func(m []byte) []byte { m[2] &^= 0x80; return m }, want: Result{Wrong: 1}, fault: "not an answer"},
		{name: "another name", answer: record, spoil: func(m []byte) []byte { m[13] = 'i'; return m }, want: Result{Wrong: 1}, fault: "another question"},
		{name: "another letter case", answer: record, spoil: func(m []byte) []byte { m[13] = 'H'; return m }, want: Result{Wrong: 1}, fault: "another question"},
		{name: "another type", answer: record, spoil: func(m []byte) []byte { m[end-3] = 28; return m }, want: Result{Wrong: 1}, fault: "another question"},
		{name: "SERVFAIL", answer: record, spoil: func(m []byte) []byte { m[3] |= 2; return m }, want: Result{Failed: 1}, fault: "error code 2"},
		{name: "another ID", answer: record, spoil: func(m []byte) []byte { m[0]++; return m }, want: Result{Strays: 1}},
		{name: "another place", answer: record, spoil: func(m []byte) []byte { m[1]++; return m }, want: Result{Strays: 1}},
		{name: "eleven bytes", spoil: func(m []byte) []byte { return m[:11] }, want: Result{Strays: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := flight{slots: make([]slot, 1)}
			question := f.ask(0, Each(set), 0).message()
			m := append(append([]byte{}, question[:end]...), test.answer...)
			m[2], m[7], m[11] = m[2]|0x80, 1, 0
			if test.spoil != nil {
				m = test.spoil(m)
			}
			var got Result
			_, ok := f.hear(m, time.Millisecond, &got)
			if ok != (test.want.Strays == 0) || f.waiting != test.want.Strays {
				t.Errorf("the place is free: %v, and %d wait", ok, f.waiting)
			}
			if got.Answers != test.want.Answers || got.Wrong != test.want.Wrong || got.Failed != test.want.Failed || got.Strays != test.want.Strays {
				t.Errorf("got %d right, %d wrong, %d failed, %d strays; want %+v", got.Answers, got.Wrong, got.Failed, got.Strays, test.want)
			}
			if !strings.Contains(got.Example, test.fault) {
				t.Errorf("the example %q doesn't say %q", got.Example, test.fault)
			}
			if _, again := f.hear(m, time.Millisecond, &got); again {
				t.Error("the same answer counts twice")
			}
		})
	}
}

// TestUniqueNamesAreUnique asks for names, and for them again.
func TestUniqueNamesAreUnique(t *testing.T) {
	const n = 1000
	first, buf := map[string]uint32{}, make([]byte, maxQuery)
	for s, i := Unique("u1-", "example.org"), 0; i < n; i++ {
		size, want := s.put(buf)
		first[string(buf[:size])] = want
	}
	if len(first) != n {
		t.Fatalf("%d questions are %d different ones", n, len(first))
	}
	again := map[string]bool{}
	for s, i := Among("u1-", "example.org", n, n), 0; i < n; i++ {
		size, want := s.put(buf)
		if at, ok := first[string(buf[:size])]; !ok || at != want {
			t.Fatalf("%x was not asked for, or had another address", buf[:size])
		}
		again[string(buf[:size])] = true
	}
	if len(again) != n {
		t.Errorf("of %d names only %d are asked for again", n, len(again))
	}
}

// TestMixed counts the unique names.
func TestMixed(t *testing.T) {
	set := NewSet(100, func(i int) string { return "h" + string(rune('a'+i%26)) + ".example.org" }, Upstream)
	s, buf, unique := Mixed(set, Zipf(100), 10, "u2-", "example.org"), make([]byte, maxQuery), 0
	for range 1000 {
		if n, _ := s.put(buf); strings.Contains(string(buf[:n]), "u2-") {
			unique++
		}
	}
	if unique != 100 {
		t.Errorf("%d of 1000 names are unique, want 100", unique)
	}
}

func TestQuantile(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
	for i := 1; i <= 1000; i++ {
		h.add(time.Duration(i) * 10 * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0: 10 * time.Microsecond, 0.5: 5 * time.Millisecond, 0.99: 9900 * time.Microsecond, 0.999: 9990 * time.Microsecond} {
		if got := h.Quantile(q); float64(got) < 0.98*float64(want) || float64(got) > 1.02*float64(want) {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	h.add(time.Hour) // beyond its classes
	if got := h.Quantile(1); got < time.Minute {
		t.Errorf("the longest is %v", got)
	}
}
