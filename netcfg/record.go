package netcfg

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"labnet/internal/durable"
)

const (
	recordVersion = 1
	bootIDFile    = "/proc/sys/kernel/random/boot_id"
)

// record is what Down needs to know, also in a later process: what stood there before us. It is valid for one boot and one
// namespace; nothing of it outlives those in the kernel either.
type record struct {
	Version int              `json:"version"`
	Boot    string           `json:"boot"`
	Netns   uint64           `json:"netns"` // cookie
	Sysctls []recordedSysctl `json:"sysctls,omitempty"`
	Ports   []recordedPort   `json:"ports,omitempty"`
	Adopted []recordedBridge `json:"adopted,omitempty"`
	Config  Config           `json:"config"` // that was applied last
}

type recordedSysctl struct {
	Key       sysctlKey `json:"key"`
	Index     int       `json:"index"` // of the interface: another one of the same name is another one
	Was       string    `json:"was"`
	Set       string    `json:"set"`
	IPForward string    `json:"ip_forward"` // the host-wide switch then
}

type recordedPort struct {
	Name    string `json:"name"`
	Index   int    `json:"index"`
	WasDown bool   `json:"was_down"`

	Stays       bool `json:"stays,omitempty"` // it was a port of its bridge before us
	WasIsolated bool `json:"was_isolated,omitempty"`
}

func (r record) port(name string, index int) (recordedPort, bool) {
	for _, p := range r.Ports {
		if p.Name == name && p.Index == index {
			return p, true
		}
	}
	return recordedPort{}, false
}

func (r record) sysctl(key sysctlKey, index int) (recordedSysctl, bool) {
	for _, s := range r.Sysctls {
		if s.Key == key && s.Index == index {
			return s, true
		}
	}
	return recordedSysctl{}, false
}

// follow gives what is recorded the names that its interfaces have now: an interface that is renamed keeps its index.
func (r record) follow(links []link) record {
	names := map[int]string{}
	for _, l := range links {
		names[l.index] = l.name
	}
	r.Sysctls, r.Ports = slices.Clone(r.Sysctls), slices.Clone(r.Ports)
	for i, s := range r.Sysctls {
		if name, ok := names[s.Index]; ok && s.Key.link() != "" {
			r.Sysctls[i].Key = s.Key.of(name)
		}
	}
	for i, p := range r.Ports {
		if name, ok := names[p.Index]; ok {
			r.Ports[i].Name = name
		}
	}
	return r
}

// recordFile keeps the record.
type recordFile struct {
	path  string
	boot  string
	netns uint64
	last  []byte // as on disk
	alien bool   // what is on disk is of another namespace, which may be in use
}

func openRecord(path string, netns uint64) (*recordFile, error) {
	boot, err := os.ReadFile(bootIDFile)
	if err != nil {
		return nil, fmt.Errorf("reading the boot id: %w", err)
	}
	return &recordFile{path: path, boot: strings.TrimSpace(string(boot)), netns: netns}, nil
}

// load reads the record; one that was made before the last boot, or in another namespace, has nothing to say.
func (f *recordFile) load() (record, error) {
	fresh := record{Version: recordVersion, Boot: f.boot, Netns: f.netns}
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.last, f.alien = nil, false
		return fresh, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("reading the record of the host's settings: %w", err)
	}
	var r record
	// Nothing is guessed: without the record, what Down puts back would be wrong in silence.
	remedy := "if it is lost, remove it: settings of the host that labnet changed then stay as they are until the next boot"
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var version struct{ Version int }
	if json.Unmarshal(data, &version) == nil && version.Version != recordVersion && version.Version != 0 {
		return record{}, fmt.Errorf("the record %s has version %d, this labnet knows %d: use the labnet that wrote it; %s", f.path, version.Version, recordVersion, remedy)
	}
	if err := decoder.Decode(&r); err != nil {
		return record{}, fmt.Errorf("the record %s is unreadable: %w; %s", f.path, err, remedy)
	}
	if r.Version != recordVersion || r.Boot == "" {
		return record{}, fmt.Errorf("the record %s is incomplete; %s", f.path, remedy)
	}
	f.last, f.alien = data, r.Boot == f.boot && r.Netns != f.netns
	if r.Boot != f.boot || r.Netns != f.netns {
		return fresh, nil
	}
	return r, nil
}

// save writes the record, if it differs, so that it survives a power cut from here on.
func (f *recordFile) save(r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the record: %w", err)
	}
	data = append(data, '\n')
	if bytes.Equal(data, f.last) {
		return nil
	}
	if err := durable.Replace(f.path, data, 0o755); err != nil {
		return fmt.Errorf("writing the record of the host's settings: %w", err)
	}
	f.last, f.alien = data, false
	return nil
}

// remove forgets this namespace's record; another one's isn't ours to forget.
func (f *recordFile) remove() error {
	if f.alien {
		return nil
	}
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the record of the host's settings: %w", err)
	}
	f.last = nil
	return nil
}

// remember is the record with what a plan is about to change of others' settings, each with its first old value.
func (r record) remember(p Plan, f *facts) record {
	r.Sysctls, r.Ports = slices.Clone(r.Sysctls), slices.Clone(r.Ports)
	for _, c := range p.Grow {
		switch c := c.(type) {
		case setSysctl:
			l, ok := f.link(c.key.link())
			if c.from == "" || !ok || f.ours(l) {
				continue
			}
			if _, known := r.sysctl(c.key, l.index); !known {
				r.Sysctls = append(r.Sysctls, recordedSysctl{Key: c.key, Index: l.index, Was: c.from, Set: c.to, IPForward: f.sysctls[ipForward]})
			}
		case attachPort:
			l, ok := f.link(c.name)
			if _, known := r.port(c.name, l.index); ok && !known {
				r.Ports = append(r.Ports, recordedPort{Name: c.name, Index: l.index, WasDown: !l.up})
			}
		}
		r = r.rememberAdopted(c, f)
	}
	return r
}

// forget is the record without what is of no more use: settings of interfaces that are gone or that are no more wanted, and
// ports that have left.
func (r record) forget(f *facts, want *state) record {
	var sysctls []recordedSysctl
	for _, s := range r.Sysctls {
		if v, wanted := want.sysctls[s.Key]; f.stillRecorded(s) && wanted && !v.restore {
			sysctls = append(sysctls, s)
		}
	}
	var ports []recordedPort
	for _, p := range r.Ports {
		if l, ok := f.link(p.Name); ok && l.index == p.Index && want.ports[p.Name].bridge != "" {
			ports = append(ports, p)
		}
	}
	r.Sysctls, r.Ports = sysctls, ports
	r.Adopted = r.forgetAdopted(f, want)
	return r
}
