package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// entrust gives what root has made in the state directory to the directory's owner: the service, which runs as a user of its own, could not
// even read it. Links, and files that have another name elsewhere, stay as they are: that owner may have put them there.
func (p Paths) entrust() error {
	if os.Geteuid() != 0 {
		return nil
	}
	root, err := os.OpenRoot(p.StateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	var owner unix.Stat_t
	if err := unix.Stat(p.StateDir, &owner); err != nil || owner.Uid == 0 {
		return err
	}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a daemon's temporary file
		}
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || stat.Uid != 0 || !entry.IsDir() && (!info.Mode().IsRegular() || stat.Nlink != 1) {
			return nil
		}
		err = root.Lchown(name, int(owner.Uid), int(owner.Gid))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("giving %s to its owner: %w", p.StateDir, err)
	}
	return nil
}
