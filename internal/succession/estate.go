package succession

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Estate is the sockets that shall outlive this process, and those that one before it has left. Its methods may be called by any
// goroutine; of a nil Estate they do nothing.
type Estate struct {
	log   *slog.Logger
	store *store // systemd's; nil: there is none

	mu     sync.Mutex // guards the rest
	left   []heirloom // by the process before, not taken yet
	names  []string   // that left had in the beginning
	kept   []heirloom // duplicates of this process's own
	sealed bool
}

// heirloom is a descriptor with its name. A name has letters, digits and "._-[]%" only.
type heirloom struct {
	name string
	fd   int
	here bool // not for the store
}

// Receive makes the estate of this process, from what its environment tells of descriptors: call it once, before any program is started,
// which could inherit them. What others wrote there is no error, but a warning.
func Receive(log *slog.Logger) *Estate {
	e := &Estate{log: log, store: findStore(log)}
	for _, h := range fromEnvironment() {
		flags, err := unix.FcntlInt(uintptr(h.fd), unix.F_GETFD, 0)
		if err != nil || h.fd <= 2 {
			log.Warn("a descriptor that was to be handed over isn't there", "name", h.name, "fd", h.fd)
			continue
		}
		_, _ = unix.FcntlInt(uintptr(h.fd), unix.F_SETFD, flags|unix.FD_CLOEXEC)
		e.left = append(e.left, h)
		if !slices.Contains(e.names, h.name) {
			e.names = append(e.names, h.name)
		}
	}
	return e
}

// Stored reports whether there is a store that keeps sockets when this process ends.
func (e *Estate) Stored() bool { return e != nil && e.store != nil }

// Left is how many descriptors the process before has left that nobody has taken.
func (e *Estate) Left() int {
	if e == nil {
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.left)
}

// Take gives the sockets to the caller that fits says yes to. What it is told is what the kernel says of the
// socket, beside its name.
func (e *Estate) Take(fits func(Socket) bool) []int { return e.take(fits, math.MaxInt) }

// TakeOne is Take for where one socket is enough; ok is false if there is none.
func (e *Estate) TakeOne(fits func(Socket) bool) (fd int, ok bool) {
	all := e.take(fits, 1)
	if len(all) == 0 {
		return 0, false
	}
	return all[0], true
}

func (e *Estate) take(fits func(Socket) bool, most int) []int {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var taken []int
	e.left = slices.DeleteFunc(e.left, func(h heirloom) bool {
		if len(taken) == most {
			return false
		}
		s, ok := Look(h.fd)
		if s.Name = h.name; !ok || !fits(s) {
			return false
		}
		taken = append(taken, h.fd)
		return true
	})
	return taken
}

// Settle ends the taking: what nobody took is closed, here and in the store.
func (e *Estate) Settle() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	stale := map[string]bool{}
	for _, name := range e.names {
		stale[name] = !slices.ContainsFunc(e.kept, func(h heirloom) bool { return h.name == name })
	}
	for _, h := range e.left {
		e.log.Info("a descriptor of the process before fits nothing and is closed", "name", h.name)
		_ = unix.Close(h.fd)
		stale[h.name] = true
	}
	for name, is := range stale {
		if is {
			e.store.remove(name)
			e.store.put(name, e.keptAs(name)) // what has the same name and is in use
		}
	}
	e.left, e.names = nil, nil
}

// keptAs is the descriptors of a name that the store may have. e.mu is held.
func (e *Estate) keptAs(name string) []int {
	var fds []int
	for _, h := range e.kept {
		if h.name == name && !h.here {
			fds = append(fds, h.fd)
		}
	}
	return fds
}

// Keep sees to it that descriptors outlive this process. The caller may close its own; the socket stays open until Drop.
func (e *Estate) Keep(name string, fds ...int) error { return e.keep(name, false, fds) }

// KeepHere is Keep for what is handed over by Exec alone, and not by the store.
func (e *Estate) KeepHere(name string, fds ...int) error { return e.keep(name, true, fds) }

func (e *Estate) keep(name string, here bool, fds []int) error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var own []int
	for _, fd := range fds {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			for _, fd := range own {
				_ = unix.Close(fd)
			}
			return fmt.Errorf("keeping %s for the next process: %w", name, err)
		}
		own = append(own, dup)
	}
	for _, fd := range own {
		e.kept = append(e.kept, heirloom{name, fd, here})
	}
	if !here {
		e.store.put(name, own)
	}
	return nil
}

// Drop ends what Keep began: when it returns, the sockets of the name are closed unless the caller has them open. After Seal it does nothing.
func (e *Estate) Drop(name string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.sealed {
		e.drop(func(h heirloom) bool { return h.name == name })
	}
}

// Forget is Drop, also after Seal.
func (e *Estate) Forget(name string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(func(h heirloom) bool { return h.name == name })
}

// Abandon drops everything: nobody shall follow.
func (e *Estate) Abandon() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(func(heirloom) bool { return true })
}

// drop closes what is to go. e.mu is held.
func (e *Estate) drop(goes func(heirloom) bool) {
	var names []string
	e.kept = slices.DeleteFunc(e.kept, func(h heirloom) bool {
		if !goes(h) {
			return false
		}
		_ = unix.Close(h.fd)
		if !h.here && !slices.Contains(names, h.name) {
			names = append(names, h.name)
		}
		return true
	})
	for _, name := range names {
		e.store.remove(name)
	}
}

// Seal keeps what is kept, whatever is dropped until it is called with false: the servers are about to end, or may not come to serve.
func (e *Estate) Seal(sealed bool) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sealed = sealed
}

// Exec replaces this process by a program, which gets what is kept, and what nobody has taken. It returns only with an error; then nothing has
// changed.
func (e *Estate) Exec(program string, args, env []string) error {
	if e == nil {
		return errors.New("there is nothing to hand over")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	mark := func(flags int) error {
		for _, h := range slices.Concat(e.kept, e.left) {
			if _, err := unix.FcntlInt(uintptr(h.fd), unix.F_SETFD, flags); err != nil {
				return fmt.Errorf("handing over %s: %w", h.name, err)
			}
		}
		return nil
	}
	err := mark(0)
	if err == nil {
		err = unix.Exec(program, args, append(withoutOurs(env), e.environment()))
	}
	return errors.Join(fmt.Errorf("running %s: %w", program, err), mark(unix.FD_CLOEXEC))
}

// Environment is os.Environ without what concerns descriptors that are handed over: for programs that are no successors.
func Environment() []string { return withoutOurs(os.Environ()) }
