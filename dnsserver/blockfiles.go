package dnsserver

import (
	"slices"
	"time"

	"labnet/dnsserver/blocklist"
)

// blockList is what a block list says.
type blockList struct {
	set    *blocklist.Set
	report blocklist.Report
}

// blockFiles is the block lists by path.
type blockFiles = watchedFiles[blockList]

// readBlocks returns the files of a configuration; those that haven't changed since they were read are not read again. s.mu is not held: a million names
// take a second.
func (s *Server) readBlocks(paths []string) blockFiles {
	s.mu.Lock()
	old := s.blocks
	s.mu.Unlock()
	return old.of(paths, s.readBlock)
}

// largeBlock is from how many names on a list's memory is worth a look of the collector, when it is no longer used.
const largeBlock = 10_000

// replaceBlocks sets the files of the configuration. s.mu is held.
func (s *Server) replaceBlocks(files blockFiles) {
	for path, old := range s.blocks {
		if old.content.set != nil && old.content.set.Len() >= largeBlock && (files[path] == nil || files[path].content.set != old.content.set) {
			s.collect.Store(true)
		}
	}
	s.blocks = files
}

// readBlock reads a file, and keeps what it had before if it can't be read now.
func (s *Server) readBlock(path string, before *watchedFile[blockList]) *watchedFile[blockList] {
	started := time.Now()
	// The stamp first: a change in between is then seen as one.
	f := &watchedFile[blockList]{stamp: stamp(path), tried: started}
	f.content.set, f.content.report, f.err = blocklist.Read(path)
	report := f.content.report
	if f.err == nil {
		s.log.Info("block list read", "file", path, "names", report.Names, "took", time.Since(started).Round(time.Millisecond))
		if report.Bad > 0 {
			s.log.Warn("some lines of a block list can't be understood and are passed over", "file", path, "lines", report.Bad, "first", report.First[0].String())
		}
		return f
	}
	if before != nil {
		f.content = before.content
	}
	if !before.told(f.err) {
		s.log.Warn("a block list can't be read; what it had before still counts, and it is read as soon as that is possible",
			"file", path, "err", f.err, "names", f.content.report.Names)
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
		list := BlockList{File: path, Names: f.content.report.Names, Bad: f.content.report.Bad, Err: f.err}
		for _, b := range f.content.report.First {
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
