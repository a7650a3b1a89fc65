package dnsserver

import (
	"slices"
	"time"

	"labnet/dnsserver/hostsfile"
)

// hostsList is what a hosts file says.
type hostsList struct {
	set    *hostsfile.Set
	report hostsfile.Report
}

// hostsFiles is the hosts files of all networks by path.
type hostsFiles = watchedFiles[hostsList]

// hostsFiles returns the paths of all networks' hosts files, each once.
func (c *Config) hostsFiles() []string {
	var paths []string
	for i := range c.Networks {
		for _, path := range c.Networks[i].HostsFiles {
			if !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// readHosts returns the files of a configuration; those that haven't changed since they were read are not read again. s.mu is not held.
func (s *Server) readHosts(paths []string) hostsFiles {
	s.mu.Lock()
	old := s.hosts
	s.mu.Unlock()
	return old.of(paths, s.readHostsFile)
}

// readHostsFile reads a file, and keeps what it had before if it can't be read now.
func (s *Server) readHostsFile(path string, before *watchedFile[hostsList]) *watchedFile[hostsList] {
	started := time.Now()
	// The stamp first: a change in between is then seen as one.
	f := &watchedFile[hostsList]{stamp: stamp(path), tried: started}
	f.content.set, f.content.report, f.err = hostsfile.Read(path)
	report := f.content.report
	if f.err == nil {
		s.log.Info("hosts file read", "file", path, "names", report.Names, "took", time.Since(started).Round(time.Millisecond))
		if report.Bad > 0 {
			s.log.Warn("some lines of a hosts file can't be understood and are passed over", "file", path, "lines", report.Bad, "first", report.First[0].String())
		}
		return f
	}
	if before != nil {
		f.content = before.content
	}
	if !before.told(f.err) {
		s.log.Warn("a hosts file can't be read; what it had before still counts, and it is read as soon as that is possible",
			"file", path, "err", f.err, "names", f.content.report.Names)
	}
	return f
}

// HostsFile is how a hosts file does.
type HostsFile struct {
	File  string
	Names int // that it has now
	Bad   int // lines of which something can't be understood
	// First are some of these, for people.
	First []string
	// Err is why the file can't be read now. What it had before still counts.
	Err error
}

// HostsFiles returns the hosts files of the configuration, in its order, each once. Safe for concurrent use.
func (s *Server) HostsFiles() []HostsFile {
	s.mu.Lock()
	paths, files := s.cfg.hostsFiles(), s.hosts
	s.mu.Unlock()
	var all []HostsFile
	for _, path := range paths {
		f := files[path]
		if f == nil {
			continue
		}
		file := HostsFile{File: path, Names: f.content.report.Names, Bad: f.content.report.Bad, Err: f.err}
		for _, b := range f.content.report.First {
			file.First = append(file.First, b.String())
		}
		all = append(all, file)
	}
	return all
}
