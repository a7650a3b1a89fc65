package dnsserver

import (
	"log/slog"
	"slices"
	"time"

	"labnet/dnsserver/blocklist"
)

// retryBlock is after how long a block list that couldn't be read is tried again, though nothing about it seems to have changed.
const retryBlock = 30 * time.Second

// blockFile is a block list as it was read last. Immutable.
type blockFile struct {
	stamp  string         // of the file when it was tried last
	tried  time.Time      // likewise
	err    error          // why it couldn't be read then
	set    *blocklist.Set // of the last time that it could; nil: never
	report blocklist.Report
}

// blockFiles is the block lists by path. Immutable: who reads one again makes another.
type blockFiles map[string]*blockFile

// readBlocks returns the files of a configuration; those that haven't changed since they were read are not read again. s.mu is not held: a million names
// take a second.
func (s *Server) readBlocks(paths []string) blockFiles {
	s.mu.Lock()
	old := s.blocks
	s.mu.Unlock()
	files := blockFiles{}
	for _, path := range paths {
		f := old[path]
		if f == nil || f.err != nil || f.stamp != stamp(path) {
			f = readBlock(path, f, s.log)
		}
		files[path] = f
	}
	return files
}

// changedBlocks returns the files of the configuration that runs, and whether some of them were read again. looks is how they were when this was
// called last: one that changes is read once it rests, so that one which is being written isn't read half.
func (s *Server) changedBlocks(looks map[string]string, now time.Time) (files blockFiles, changed bool) {
	s.mu.Lock()
	old := s.blocks
	s.mu.Unlock()
	files = blockFiles{}
	for path, f := range old {
		look := stamp(path)
		rests := looks[path] == look
		looks[path] = look
		if rests && (look != f.stamp || f.err != nil && now.Sub(f.tried) >= retryBlock) {
			f, changed = readBlock(path, f, s.log), true
		}
		files[path] = f
	}
	for path := range looks {
		if old[path] == nil {
			delete(looks, path)
		}
	}
	return files, changed
}

// largeBlock is from how many names on a list's memory is worth a look of the collector, when it is no longer used.
const largeBlock = 10_000

// replaceBlocks sets the files of the configuration. s.mu is held.
func (s *Server) replaceBlocks(files blockFiles) {
	for path, old := range s.blocks {
		if old.set != nil && old.set.Len() >= largeBlock && (files[path] == nil || files[path].set != old.set) {
			s.collect.Store(true)
		}
	}
	s.blocks = files
}

// covers tells whether every one of the paths is there.
func (files blockFiles) covers(paths []string) bool {
	return !slices.ContainsFunc(paths, func(path string) bool { return files[path] == nil })
}

// readBlock reads a file, and keeps what it had before if it can't be read now.
func readBlock(path string, before *blockFile, log *slog.Logger) *blockFile {
	started := time.Now()
	// The stamp first: a change in between is then seen as one.
	f := &blockFile{stamp: stamp(path), tried: started}
	f.set, f.report, f.err = blocklist.Read(path)
	if f.err == nil {
		log.Info("block list read", "file", path, "names", f.report.Names, "took", time.Since(started).Round(time.Millisecond))
		if f.report.Bad > 0 {
			log.Warn("some lines of a block list can't be understood and are passed over", "file", path, "lines", f.report.Bad, "first", f.report.First[0].String())
		}
		return f
	}
	told := false
	if before != nil {
		f.set, f.report = before.set, before.report
		told = before.err != nil && before.err.Error() == f.err.Error()
	}
	if !told {
		log.Warn("a block list can't be read; what it had before still counts, and it is read as soon as that is possible", "file", path, "err", f.err, "names", f.report.Names)
	}
	return f
}

// BlockList is how a block list does.
type BlockList struct {
	File  string
	Names int // that it blocks or exempts now
	Bad   int // lines that can't be understood
	// First are some of these, for people.
	First []string
	// Err is why the file can't be read now. What it had before still counts.
	Err error
}

// BlockLists returns the block lists of the configuration, in its order. Safe for concurrent use.
func (s *Server) BlockLists() []BlockList {
	s.mu.Lock()
	paths, files := s.cfg.Block.Files, s.blocks
	s.mu.Unlock()
	var all []BlockList
	for i, path := range paths {
		f := files[path]
		if f == nil || slices.Contains(paths[:i], path) {
			continue
		}
		list := BlockList{File: path, Names: f.report.Names, Bad: f.report.Bad, Err: f.err}
		for _, b := range f.report.First {
			list.First = append(list.First, b.String())
		}
		all = append(all, list)
	}
	return all
}

// BlockedBy returns the lines of the block lists that say something about a name in presentation format, exceptions too. It reads the files as they are
// now. Safe for concurrent use; it takes as long as reading the files does.
func (s *Server) BlockedBy(name string) ([]blocklist.Entry, error) {
	s.mu.Lock()
	paths := s.cfg.Block.Files
	s.mu.Unlock()
	return blocklist.Find(paths, name)
}
