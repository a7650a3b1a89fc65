package stage

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Pin keeps the calling thread, and what it forks, to some CPUs.
func Pin(cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("keeping to CPUs %v: %w", cpus, err)
	}
	return nil
}

// OnlineCPUs are the machine's, whatever CPUs this process is kept to.
func OnlineCPUs() ([]int, error) {
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, err
	}
	return Numbers(strings.TrimSpace(string(text)))
}

// Halves shares CPUs out: the first half for servers, the rest for who loads them; one CPU is for both.
func Halves(cpus []int) (servers, clients []int) {
	half := (len(cpus) + 1) / 2
	return cpus[:half], cpus[min(half, len(cpus)-1):]
}

// Numbers reads a list of numbers and ranges, as "0,2-3".
func Numbers(list string) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err := strconv.Atoi(from)
		if err != nil {
			return nil, err
		}
		last, err := strconv.Atoi(to)
		if err != nil {
			return nil, err
		}
		if first < 0 || last < first || last-first > 4096 {
			return nil, fmt.Errorf("%q is not a range", part)
		}
		for i := first; i <= last; i++ {
			out = append(out, i)
		}
	}
	return out, nil
}

// List writes numbers as Numbers reads them.
func List(numbers []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", ",")
}
