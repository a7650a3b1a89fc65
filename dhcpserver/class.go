package dhcpserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// maxClasses bounds the classes of a link: a classSet has a bit for each.
const maxClasses = 64

// classSet is a set of classes, by their place in the configuration.
type classSet uint64

// class is a Class, prepared.
type class struct {
	vendor, user  []pattern
	architectures []uint16
	macs          []string
	layer         layer
	name          string
}

// pattern is an exact text, or the beginning of one.
type pattern struct {
	text   string
	prefix bool
}

func newPatterns(texts []string) []pattern {
	out := make([]pattern, len(texts))
	for i, t := range texts {
		out[i].text, out[i].prefix = strings.CutSuffix(t, "*")
	}
	return out
}

func (p pattern) matches(b []byte) bool {
	if p.prefix {
		return len(b) >= len(p.text) && string(b[:len(p.text)]) == p.text
	}
	return string(b) == p.text
}

func anyMatches(patterns []pattern, b []byte) bool {
	for _, p := range patterns {
		if p.matches(b) {
			return true
		}
	}
	return false
}

// newClass checks and prepares a class.
func newClass(c Class) (class, error) {
	out := class{
		vendor: newPatterns(c.VendorClasses), user: newPatterns(c.UserClasses), architectures: c.Architectures, macs: c.MACPrefixes,
		layer: layer{c.LeaseTime, c.Boot, c.Options, "class " + c.Name}, name: c.Name,
	}
	errs := []error{c.Boot.check(), checkOptions(c.Options)}
	if len(c.VendorClasses)+len(c.UserClasses)+len(c.Architectures)+len(c.MACPrefixes) == 0 {
		errs = append(errs, errors.New("matches by nothing"))
	}
	for _, mac := range c.MACPrefixes {
		if len(mac) < 1 || len(mac) > 6 {
			errs = append(errs, fmt.Errorf("MAC prefix of %d bytes: must be 1 to 6", len(mac)))
		}
	}
	if c.LeaseTime != 0 && c.LeaseTime < time.Second {
		errs = append(errs, fmt.Errorf("lease time %v: must be at least a second", c.LeaseTime))
	}
	return out, errors.Join(errs...)
}

// matches says whether the client that sent m is of the class: every condition that is given holds.
func (c *class) matches(m *message) bool {
	if len(c.macs) > 0 && !c.matchesMAC(m) {
		return false
	}
	if len(c.vendor) > 0 {
		vendor, ok := m.options.get(optVendorClass)
		if !ok || !anyMatches(c.vendor, bound(vendor)) {
			return false
		}
	}
	if len(c.user) > 0 && !c.matchesUserClass(m) {
		return false
	}
	return len(c.architectures) == 0 || c.matchesArchitecture(m)
}

func (c *class) matchesMAC(m *message) bool {
	if m.htype != hwEthernet {
		return false
	}
	hw := m.hardware()
	for _, mac := range c.macs {
		if len(hw) >= len(mac) && string(hw[:len(mac)]) == mac {
			return true
		}
	}
	return false
}

// matchesUserClass reads option 77 as RFC 3004 has it, instances with their lengths, and as iPXE and Windows send it, one
// bare text. The first reading is for data that is nothing but instances.
func (c *class) matchesUserClass(m *message) bool {
	data, ok := m.options.get(optUserClass)
	if !ok {
		return false
	}
	if instances(data) {
		for rest := data; len(rest) > 0; rest = rest[1+int(rest[0]):] {
			if anyMatches(c.user, bound(rest[1:1+int(rest[0])])) {
				return true
			}
		}
	}
	return anyMatches(c.user, bound(data))
}

// instances says whether data is user class instances, each of at least a byte (RFC 3004 section 4).
func instances(data []byte) bool {
	for len(data) > 0 {
		n := int(data[0])
		if n == 0 || n >= len(data) {
			return false
		}
		data = data[1+n:]
	}
	return true
}

// matchesArchitecture reads option 93: one type of two bytes or several (RFC 4578 section 2.1).
func (c *class) matchesArchitecture(m *message) bool {
	data, _ := m.options.get(optArchitecture)
	for ; len(data) >= 2; data = data[2:] {
		arch := binary.BigEndian.Uint16(data)
		for _, want := range c.architectures {
			if arch == want {
				return true
			}
		}
	}
	return false
}

// classesOf returns the classes of the client that sent m.
func (s *settings) classesOf(m *message) (set classSet) {
	for i := range s.classes {
		if s.classes[i].matches(m) {
			set |= 1 << i
		}
	}
	return set
}

// profileFor returns what the client gets that sent m and has the reservation of this name, "" for none.
func (s *settings) profileFor(m *message, host string) *profile {
	if len(s.classes) > 0 {
		if set := s.classesOf(m); set != 0 {
			return s.classed(set, host)
		}
	}
	if p, ok := s.hosts[host]; ok {
		return p
	}
	return s.base
}

// maxClassed bounds the profiles that are kept: guests choose what they match, and with many classes there are more
// combinations than memory.
const maxClassed = 512

// profileCache keeps the profiles of classes that have come together.
type profileCache struct {
	mu    sync.Mutex
	byKey map[profileKey]*profile // guarded by mu
}

type profileKey struct {
	classes classSet
	host    string // "" for one without settings of its own
}

// classed returns the profile of a set of classes and a host.
func (s *settings) classed(set classSet, host string) *profile {
	own, ok := s.hostLayers[host]
	if !ok {
		host = ""
	}
	c, key := s.cache, profileKey{set, host}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.byKey[key]; ok {
		return p
	}
	layers := append(make([]layer, 0, len(s.classes)+2), s.baseLayer)
	var names []string
	for i := range s.classes {
		if set&(1<<i) != 0 {
			layers, names = append(layers, s.classes[i].layer), append(names, s.classes[i].name)
		}
	}
	p := newProfile(s.server, append(layers, own)...)
	p.classes = names
	if len(c.byKey) >= maxClassed {
		c.byKey = make(map[profileKey]*profile)
	}
	c.byKey[key] = p
	return p
}
