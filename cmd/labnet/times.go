package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timeHelp says what parseTime takes.
const timeHelp = `want a time as in 2026-03-01, "2026-03-01 14:00" or 2026-03-01T14:00:00Z, or how long ago: 90m, 24h, 7d`

// timeLayouts are of local times.
var timeLayouts = []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04", "2006-01-02T15:04:05"}

// parseTime reads a time as people write one: RFC 3339; a local date, which is its first second, or date and time; or how long before now.
func parseTime(text string, now time.Time, zone *time.Location) (time.Time, error) {
	text = strings.TrimSpace(text)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range timeLayouts {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	ago, ok := parseAgo(text)
	if !ok {
		return time.Time{}, fmt.Errorf("%q is no time: %s", text, timeHelp)
	}
	return now.Add(-ago), nil
}

// parseAgo reads numbers with units up to the week, as 1d12h.
func parseAgo(text string) (ago time.Duration, ok bool) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	for ; text != ""; ok = true {
		end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
		if end <= 0 {
			return 0, false
		}
		n, err := strconv.ParseUint(text[:end], 10, 32)
		unit := units[text[end]]
		if err != nil || unit == 0 || n > uint64(1<<62/unit) {
			return 0, false
		}
		if ago += time.Duration(n) * unit; ago < 0 {
			return 0, false
		}
		text = text[end+1:]
	}
	return ago, ok
}
