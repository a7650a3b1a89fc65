package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// units of durations. Days and weeks are what leases are often counted in.
func durationUnits() map[string]time.Duration {
	return map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
}

const durationHelp = `Write a number and a unit, one or more times: "90s", "45m", "12h", "1h30m", "7d", "2w".`

// duration is whole seconds from least to most, or "infinite" where that is allowed.
func duration(least, most time.Duration, infinite bool) kind {
	return ofText("duration", func(s string) (any, error) {
		if infinite && s == "infinite" {
			return Infinite, nil
		}
		d, err := parseDuration(s)
		if err != nil {
			return nil, err
		}
		switch {
		case d < least:
			return nil, faultf(fmt.Sprintf("It must be at least %q.", shortDuration(least)), "%q is too short", s)
		case d > most && infinite:
			return nil, faultf(`For ever is "infinite".`, "%q is too long", s)
		case d > most:
			return nil, faultf(fmt.Sprintf("It must be at most %q.", shortDuration(most)), "%q is too long", s)
		}
		return d, nil
	})
}

func parseDuration(s string) (time.Duration, error) {
	if s == "" {
		return 0, faultf(durationHelp, "the duration is empty")
	}
	if strings.HasPrefix(s, "-") {
		return 0, faultf(durationHelp, "the duration %q is negative", s)
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && strings.Trim(s, "0123456789.") == "" {
		advice := durationHelp
		if d := time.Duration(n) * time.Second; n == math.Trunc(n) && n > 0 && n < 1e9 {
			advice = fmt.Sprintf("If it is seconds, write %q.", shortDuration(d))
		}
		return 0, faultf(advice, "the duration %q has no unit", s)
	}
	var total float64
	for rest := s; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		letters := len(rest[digits:]) - len(strings.TrimLeft(rest[digits:], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		n, err := strconv.ParseFloat(rest[:digits], 64)
		unit, known := durationUnits()[rest[digits:digits+letters]]
		if err != nil || !known {
			return 0, faultf(durationHelp, "%q is not a duration", s)
		}
		total += n * float64(unit)
		rest = rest[digits+letters:]
	}
	if total > math.MaxInt64/2 {
		return 0, faultf("", "the duration %q is too long", s)
	}
	d := time.Duration(total)
	if d%time.Second != 0 {
		return 0, faultf("DHCP and DNS count in seconds.", "the duration %q is not whole seconds", s)
	}
	return d, nil
}

// shortDuration writes d as one would: 1h30m, not 1h30m0s.
func shortDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d %= u.unit
		}
	}
	return b.String()
}

// size is a number of bytes.
func size(least, most int64) kind {
	const help = `Write a number and a unit: "512KiB", "64MiB", "1GiB" (or KB, MB, GB for powers of ten).`
	return ofText("size", func(s string) (any, error) {
		units := map[string]int64{
			"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "KB": 1e3, "MB": 1e6, "GB": 1e9,
		}
		digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
		unit := strings.TrimSpace(s[len(digits):])
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return nil, faultf(help, "%q is not a size", s)
		}
		if unit == "" {
			return nil, faultf(help, "the size %q has no unit", s)
		}
		factor, ok := units[unit]
		if !ok {
			return nil, faultf(help, "%q is not a unit of size", unit)
		}
		total := int64(n) * factor
		if total/factor != int64(n) || total < least || total > most {
			return nil, faultf(fmt.Sprintf("It must be from %s to %s.", shortSize(least), shortSize(most)), "the size %q is out of range", s)
		}
		return total, nil
	})
}

func shortSize(n int64) string {
	for _, u := range []struct {
		unit int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.unit && n%u.unit == 0 {
			return fmt.Sprintf("%d%s", n/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%dB", n)
}
