package dnsserver

import (
	"slices"
	"time"
)

// retryFile is after how long a file that couldn't be read is tried again, though nothing about it seems to have changed.
const retryFile = 30 * time.Second

// watchedFile is a file as it was read last. Immutable.
type watchedFile[T any] struct {
	stamp   string    // of the file when it was tried last
	tried   time.Time // likewise
	err     error     // why it couldn't be read then
	content T         // of the last time that it could; zero: never
}

// told tells whether the same was wrong with the file before, so that it was said already.
func (f *watchedFile[T]) told(err error) bool {
	return f != nil && f.err != nil && f.err.Error() == err.Error()
}

// watchedFiles is files by path. Immutable: who reads one again makes another.
type watchedFiles[T any] map[string]*watchedFile[T]

// reread reads a file whose content is before's until then; nil: it is a new one.
type reread[T any] func(path string, before *watchedFile[T]) *watchedFile[T]

// of returns the files of a configuration; those that haven't changed since they were read are not read again.
func (files watchedFiles[T]) of(paths []string, read reread[T]) watchedFiles[T] {
	next := watchedFiles[T]{}
	for _, path := range paths {
		f := files[path]
		if f == nil || f.err != nil || f.stamp != stamp(path) {
			f = read(path, f)
		}
		next[path] = f
	}
	return next
}

// changed returns the same files, and whether some of them were read again. looks is how they were when this was called last: one that changes is read
// once it rests, so that one which is being written isn't read half.
func (files watchedFiles[T]) changed(looks map[string]string, now time.Time, read reread[T]) (next watchedFiles[T], changed bool) {
	next = watchedFiles[T]{}
	for path, f := range files {
		look := stamp(path)
		rests := looks[path] == look
		looks[path] = look
		if rests && (look != f.stamp || f.err != nil && now.Sub(f.tried) >= retryFile) {
			f, changed = read(path, f), true
		}
		next[path] = f
	}
	for path := range looks {
		if files[path] == nil {
			delete(looks, path)
		}
	}
	return next, changed
}

// covers tells whether every one of the paths is there.
func (files watchedFiles[T]) covers(paths []string) bool {
	return !slices.ContainsFunc(paths, func(path string) bool { return files[path] == nil })
}
