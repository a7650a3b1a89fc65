package dnsserver

import (
	"testing"
	"time"
)

// A worker rests only while it is asked all the time, and its turns are short.
func TestPace(t *testing.T) {
	for _, test := range []struct {
		what      string
		questions int // of a turn
		every     time.Duration
		rests     bool
	}{
		{"one at a time", 1, 40 * time.Microsecond, false},
		{"in good time", 2, 100 * time.Microsecond, false},
		{"one by one, all the time", 1, 10 * time.Microsecond, true},
		{"few by few, all the time", fullTurn - 1, 200 * time.Microsecond, true},
		{"many at a time", fullTurn, 20 * time.Microsecond, false},
	} {
		t.Run(test.what, func(t *testing.T) {
			var p pace
			now, rests, turns := time.Now(), 0, 0
			for end := now.Add(50 * paceWindow); now.Before(end); now = now.Add(test.every) {
				turns++
				if rest := p.turn(test.questions, now); rest > maxRest {
					t.Fatalf("rests for %v", rest)
				} else if rest > 0 {
					rests++
				}
			}
			switch {
			case !test.rests && rests > 0:
				t.Errorf("rests in %d of %d turns", rests, turns)
			case test.rests && rests < turns*9/10:
				t.Errorf("rests only in %d of %d turns", rests, turns)
			}
			// When nobody asks for a while, the first who does is answered without one.
			if rest := p.turn(1, now.Add(time.Second)); rest > 0 {
				t.Errorf("rests for %v after a second without a question", rest)
			}
		})
	}
}
