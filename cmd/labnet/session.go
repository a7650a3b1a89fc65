package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"labnet/internal/daemon"
)

// session finds out where this command comes from: sudo and su take SSH_CONNECTION out of the environment, so that of the processes
// that led here counts too.
func session() daemon.Session {
	s := daemon.Session{SSH: os.Getenv("SSH_CONNECTION"), Console: onConsole()}
	for pid := os.Getppid(); s.SSH == "" && pid > 1; pid = parent(pid) {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			continue
		}
		for _, variable := range bytes.Split(environ, []byte{0}) {
			if value, ok := strings.CutPrefix(string(variable), "SSH_CONNECTION="); ok {
				s.SSH = value
			}
		}
	}
	return s
}

// parent is the process that a process is a child of, 0 if that can't be known.
func parent(pid int) int {
	fields := statOf(strconv.Itoa(pid))
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(fields[1])
	return n
}

// statOf is /proc/PID/stat from the state on; before it stands the command, which may hold anything (proc(5)).
func statOf(pid string) []string {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// onConsole reports whether the controlling terminal is one of the machine's own: a virtual or a serial console.
func onConsole() bool {
	fields := statOf("self")
	if len(fields) < 5 {
		return false
	}
	device, _ := strconv.Atoi(fields[4])
	// Numbers of Linux's devices.txt: tty and ttyS, /dev/console, ttyAMA and other serial ones, hvc.
	switch device >> 8 & 0xfff {
	case 4, 204, 229:
		return true
	case 5:
		return device&0xff == 1
	}
	return false
}
