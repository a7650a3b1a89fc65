// Package durable puts files in the place of others so that a power cut, or a full disk, leaves the one or the other whole.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts a file with this content at path, in place of what was there, at once: whoever reads, and whoever comes after a power cut, finds the old
// content or the new. It is written beside path, and readable by its owner alone, who is the directory's where root writes; directories that lack are made with the permissions dir. When it
// returns nil, the new one survives a power cut.
func Replace(path string, data []byte, dir fs.FileMode) error {
	in := filepath.Dir(path)
	if err := MakeDir(in, dir); err != nil {
		return err
	}
	file, err := os.CreateTemp(in, filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	Entrust(file)
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return SyncDir(in)
}

// SyncDir makes what was made, renamed and removed in a directory survive a power cut.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
