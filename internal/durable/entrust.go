package durable

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Entrust gives a file or directory that root has just made to the owner of the directory that it is in: the daemon may be another user, and
// has to read at once what `labnet confirm` and the process that stands by write. Where that can't be, the way back goes on all the same.
// A file with another name elsewhere stays as it is: that owner may have put it there.
func Entrust(f *os.File) {
	var dir, own unix.Stat_t
	if os.Geteuid() != 0 || unix.Fstat(int(f.Fd()), &own) != nil || own.Mode&unix.S_IFMT != unix.S_IFDIR && own.Nlink != 1 {
		return
	}
	if unix.Stat(filepath.Dir(f.Name()), &dir) == nil && dir.Uid != 0 {
		_ = f.Chown(int(dir.Uid), int(dir.Gid))
	}
}

// MakeDir makes a directory, which belongs to the owner of the one that it is in. For root a link in its place is an error where somebody
// else could have put it there: it could lead to any directory of the host's.
func MakeDir(path string, mode fs.FileMode) error {
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	d, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		var in unix.Stat_t
		if os.Geteuid() != 0 || unix.Stat(filepath.Dir(path), &in) == nil && in.Uid == 0 {
			return nil
		}
		return err
	}
	Entrust(d)
	return d.Close()
}
