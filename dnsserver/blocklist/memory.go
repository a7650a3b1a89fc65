package blocklist

import (
	"fmt"
	"syscall"
)

// memory is what a set has of the kernel itself. The collector would count it, and by its rule let the process grow by twice as much; and when a list is
// read again, the old one's would be nobody's for a long time.
type memory struct{ pieces [][]byte }

// smallest is from how many bytes on memory is the kernel's.
const smallest = chunkSize

// get returns zeroed memory.
func (m *memory) get(size int) ([]byte, error) {
	if size < smallest {
		return make([]byte, size), nil
	}
	piece, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("no memory for %d bytes: %w", size, err)
	}
	m.pieces = append(m.pieces, piece)
	return piece, nil
}

// put gives memory of get back, which nobody uses any more.
func (m *memory) put(piece []byte) {
	for i, p := range m.pieces {
		if len(piece) > 0 && &p[0] == &piece[0] {
			_ = syscall.Munmap(p)
			m.pieces = append(m.pieces[:i], m.pieces[i+1:]...)
			return
		}
	}
}

// free gives all of it back.
func (m *memory) free() {
	for _, p := range m.pieces {
		_ = syscall.Munmap(p)
	}
	m.pieces = nil
}
