package succession

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// mostText bounds what is read of a text, in bytes.
const mostText = 64 << 20

// KeepText keeps a text, in memory, for the next process. It returns when systemd has it too: what comes from a process that has ended by the time
// it is read is nobody's, to systemd, and lost (sd_notify_barrier(3)).
func (e *Estate) KeepText(name string, text []byte) error {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("making a file in memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), name)
	_, err = file.Write(text)
	if err == nil {
		err = e.Keep(name, fd)
	}
	if err == nil && e.Stored() {
		err = e.store.barrier()
	}
	return errors.Join(err, file.Close())
}

// TakeText returns the text that the process before has kept under a name; ok is false if there is none. It is no more trustworthy than that
// process.
func (e *Estate) TakeText(name string) (text []byte, ok bool) {
	file := e.TakeFile(name)
	if file == nil {
		return nil, false
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(file, 0, mostText))
	return text, err == nil
}

// TakeFile returns the plain file that the process before has kept under a name, nil if there is none.
func (e *Estate) TakeFile(name string) (file *os.File) {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left = slices.DeleteFunc(e.left, func(h heirloom) bool {
		var stat unix.Stat_t
		if file != nil || h.name != name || unix.Fstat(h.fd, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG {
			return false
		}
		file = os.NewFile(uintptr(h.fd), name)
		return true
	})
	return file
}
