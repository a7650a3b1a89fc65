package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// syncs is how often the disk is measured in each run.
const syncs = 300

// onDisk returns an error if a directory is in memory: a sync would cost nothing there.
func onDisk(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	if fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC {
		return fmt.Errorf("%s is in memory: -dir wants a directory on a disk", dir)
	}
	return nil
}

// measureDisk returns how long fdatasync takes after 4 KiB were appended to a file, each time.
func measureDisk(dir string) (_ []time.Duration, err error) {
	name := filepath.Join(dir, "sync")
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(name)) }()
	page := make([]byte, 4096)
	times := make([]time.Duration, 0, syncs)
	for range syncs {
		if _, err := file.Write(page); err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := unix.Fdatasync(int(file.Fd())); err != nil {
			return nil, fmt.Errorf("syncing %s: %w", name, err)
		}
		times = append(times, time.Since(begin))
	}
	return times, nil
}
