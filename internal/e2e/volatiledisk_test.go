package e2e

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"
)

const sectorSize = 512

// volatileDisk is a disk with a write cache that forgets: what wasn't flushed may be there after a power cut, or not, each sector
// for itself.
type volatileDisk struct {
	lies bool // flushes do nothing
	size int

	mu      sync.Mutex // guards what follows
	durable []byte
	current []byte
	cache   []sectorWrite // since the last flush, in their order
	flushes int
	changes int           // requests that were to change something
	fuse    int           // after so many more of them it blows; 0: there is none
	blown   chan struct{} // closed when it has
}

type sectorWrite struct {
	offset int
	data   [sectorSize]byte
}

func newVolatileDisk(content []byte) *volatileDisk {
	return &volatileDisk{size: len(content), durable: content, current: bytes.Clone(content)}
}

// read fills p. Offsets and lengths are whole sectors here and below, within the disk.
func (d *volatileDisk) read(p []byte, offset int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	copy(p, d.current[offset:])
}

// write is durable when it returns if through is set (forced unit access), else with the next flush.
func (d *volatileDisk) write(p []byte, offset int, through bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	copy(d.current[offset:], p)
	for ; len(p) > 0; p, offset = p[sectorSize:], offset+sectorSize {
		d.cache = append(d.cache, sectorWrite{offset, [sectorSize]byte(p)})
	}
	if through {
		d.sync() // more than was asked for, as disks do
	}
}

// blowAfter takes the power away after some more changes.
func (d *volatileDisk) blowAfter(changes int) (blown <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fuse, d.blown = changes, make(chan struct{})
	return d.blown
}

// powered is asked before each change whether there is power for it.
func (d *volatileDisk) powered() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes++
	if d.fuse > 0 {
		if d.fuse--; d.fuse == 0 {
			close(d.blown)
		}
	}
	return d.blown == nil || d.fuse > 0
}

func (d *volatileDisk) flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sync()
}

func (d *volatileDisk) sync() {
	d.flushes++
	if d.lies {
		return
	}
	for i := range d.cache {
		copy(d.durable[d.cache[i].offset:], d.cache[i].data[:])
	}
	d.cache = d.cache[:0]
}

// cut takes the power away: of the sectors in the cache some survive, also without those that were written before them. A disk that lies
// keeps the order, so that what is on it afterwards is a file system, if one of an earlier time. It returns how many sectors were
// in the cache, and how many of them survive.
func (d *volatileDisk) cut(random *rand.Rand) (cached, kept int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	share := random.Float64()
	survives := false
	for i := range d.cache {
		if !d.superblock(i) {
			survives = random.Float64() < share
		}
		if d.lies {
			survives = float64(i) < share*0.9*float64(len(d.cache))
		}
		if survives {
			kept++
			copy(d.durable[d.cache[i].offset:], d.cache[i].data[:])
		}
	}
	cached = len(d.cache)
	d.cache, d.fuse, d.blown = nil, 0, nil
	copy(d.current, d.durable)
	return cached, kept
}

// superblock says whether a cached sector is the second of ext4's superblock, behind the first. These survive together, as they do where
// sectors have 4096 bytes: ext4 trusts them to, and one that is torn is not mounted again.
func (d *volatileDisk) superblock(i int) bool {
	const offset = 1024
	return i > 0 && d.cache[i].offset == offset+sectorSize && d.cache[i-1].offset == offset
}

// changed is how many changes there were.
func (d *volatileDisk) changed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes
}

// TestVolatileDisk holds the disk to what it says of itself, for the tests that cut its power stand on it.
func TestVolatileDisk(t *testing.T) {
	const sectors = 64
	random := rand.New(rand.NewPCG(1, 2))
	fill := func(d *volatileDisk, value byte) { d.write(bytes.Repeat([]byte{value}, sectors*sectorSize), 0, false) }
	count := func(d *volatileDisk) (old, newer int) {
		p := make([]byte, sectors*sectorSize)
		d.read(p, 0)
		for i := range sectors {
			switch sector := p[i*sectorSize : (i+1)*sectorSize]; {
			case bytes.Equal(sector, bytes.Repeat([]byte{1}, sectorSize)):
				old++
			case bytes.Equal(sector, bytes.Repeat([]byte{2}, sectorSize)):
				newer++
			}
		}
		return old, newer
	}
	outOfOrder := false
	for range 50 {
		d := newVolatileDisk(make([]byte, sectors*sectorSize))
		fill(d, 1)
		d.flush()
		fill(d, 2)
		if _, newer := count(d); newer != sectors {
			t.Fatalf("%d of %d sectors read back what was written", newer, sectors)
		}
		_, kept := d.cut(random)
		old, newer := count(d)
		if newer != kept || old != sectors-kept {
			t.Fatalf("%d sectors survive, %d are as written and %d as flushed", kept, newer, old)
		}
		p := make([]byte, sectors*sectorSize)
		d.read(p, 0)
		outOfOrder = outOfOrder || p[0] == 1 && newer > 0
		fill(d, 2)
		d.write(bytes.Repeat([]byte{1}, sectorSize), 0, true)
		d.cut(random)
		if old, newer := count(d); old != 1 || newer != sectors-1 {
			t.Fatalf("after a write through the cache: %d and %d sectors", old, newer)
		}
	}
	if !outOfOrder {
		t.Error("what is lost is always what was written last")
	}
	d := newVolatileDisk(make([]byte, sectors*sectorSize))
	blown := d.blowAfter(3)
	for i := range 5 {
		if powered := d.powered(); powered != (i < 2) {
			t.Errorf("change %d of a fuse that blows at the third: %v", i+1, powered)
		}
	}
	<-blown
	if d.cut(random); !d.powered() || d.changed() != 6 {
		t.Errorf("after the cut there is no power, or there were %d changes", d.changed())
	}
	lost := false
	for range 50 {
		d := newVolatileDisk(make([]byte, sectors*sectorSize))
		d.lies = true
		fill(d, 1)
		d.flush()
		d.cut(random)
		old, _ := count(d)
		lost = lost || old < sectors
	}
	if !lost {
		t.Error("a disk that lies loses nothing")
	}
}
