package config

import (
	"fmt"
	"slices"
	"strings"
)

// nearest returns the candidate that name was probably meant to be, or "".
func nearest(name string, candidates []string) string {
	plain := func(s string) string {
		return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
	}
	sorted := slices.Sorted(slices.Values(candidates))
	best, bestDistance := "", max(1, len(name)/3)
	if len(name) > 64 {
		return "" // nobody mistypes that
	}
	for _, c := range sorted {
		if plain(c) == plain(name) {
			return c
		}
		if d := distance(strings.ToLower(name), c); d <= bestDistance && d < len(c) && (best == "" || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	if best != "" {
		return best
	}
	// A beginning or the longer form of a name: lease for lease_time, ntp for ntp_servers, routers for router.
	for _, c := range sorted {
		if len(name) >= 3 && (strings.HasPrefix(plain(c), plain(name)) || len(c) >= 3 && strings.HasPrefix(plain(name), plain(c))) {
			return c
		}
	}
	return ""
}

// didYouMean is the sentence for it, with the choices if nothing comes near and there are few.
func didYouMean(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return fmt.Sprintf("Did you mean %q?", n)
	}
	switch {
	case len(candidates) == 0:
		return ""
	case len(candidates) <= 12:
		return "There is " + enumerate(candidates, "and") + "."
	default:
		return ""
	}
}

// enumerate writes a, b and c, each quoted.
func enumerate(names []string, conjunction string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " " + conjunction + " " + quoted[len(quoted)-1]
}

// distance is how many letters must be inserted, removed, replaced or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
