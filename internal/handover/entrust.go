package handover

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// entrust gives a file or directory that root has just made to the owner of the directory that it is in: the daemon may be another user, and
// has to read at once what `labnet confirm` and the process that stands by write. Where that can't be, the way back goes on all the same.
func entrust(f *os.File) {
	var dir unix.Stat_t
	if os.Geteuid() == 0 && unix.Stat(filepath.Dir(f.Name()), &dir) == nil && dir.Uid != 0 {
		_ = f.Chown(int(dir.Uid), int(dir.Gid))
	}
}

// makeDir makes the directory of the state, which belongs to the owner of the one that it is in.
func makeDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	entrust(d)
	return d.Close()
}
