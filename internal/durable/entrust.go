package durable

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Entrust gives a file or directory that root has just made to the owner of the directory that it is in: the daemon may be another user, and
// has to read at once what `labnet confirm` and the process that stands by write. Where that can't be, the way back goes on all the same.
func Entrust(f *os.File) {
	var dir unix.Stat_t
	if os.Geteuid() == 0 && unix.Stat(filepath.Dir(f.Name()), &dir) == nil && dir.Uid != 0 {
		_ = f.Chown(int(dir.Uid), int(dir.Gid))
	}
}

// MakeDir makes a directory, which belongs to the owner of the one that it is in.
func MakeDir(path string, mode fs.FileMode) error {
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	Entrust(d)
	return d.Close()
}
