package succession

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// variable tells the next process what it has: "NAME=FD", separated by spaces. The numbers are as they happen to be, so that nothing that
// the process still needs has to move, should exec fail.
const variable = "LABNET_DESCRIPTORS"

// firstStored is the number of the first descriptor that systemd passes on, sd_listen_fds(3).
const firstStored = 3

// fromEnvironment returns the descriptors that this process was given, and takes them out of the environment: programs that it starts have
// no such descriptors.
func fromEnvironment() []heirloom {
	var all []heirloom
	for _, word := range strings.Fields(os.Getenv(variable)) {
		name, number, _ := strings.Cut(word, "=")
		if fd, err := strconv.Atoi(number); err == nil {
			all = append(all, heirloom{name: name, fd: fd})
		}
	}
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
		names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
		for i := range max(0, min(n, mostStored)) {
			h := heirloom{name: "unknown", fd: firstStored + i}
			if i < len(names) {
				h.name = names[i]
			}
			all = append(all, h)
		}
	}
	for _, name := range ours {
		_ = os.Unsetenv(name) // it fails for names that can't be
	}
	return all
}

// mostStored bounds what is believed of LISTEN_FDS.
const mostStored = 1 << 16

var ours = []string{variable, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}

func withoutOurs(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(ours, name)
	})
}

// environment is what the next process is told. e.mu is held.
func (e *Estate) environment() string {
	var words []string
	for _, h := range slices.Concat(e.kept, e.left) {
		words = append(words, h.name+"="+strconv.Itoa(h.fd))
	}
	return variable + "=" + strings.Join(words, " ")
}
