package leases

// timers is a heap of slots by the time at which their lease, or their rest after a decline, ends. A time that moves
// back (every renewal) leaves the heap as it is: the slot is put right when it comes up.
type timers []timer

type timer struct {
	at   int64
	slot *slot
}

// set makes sure that s comes up at the time at or before.
func (h *timers) set(s *slot, at int64) {
	if s.heapAt == 0 {
		*h = append(*h, timer{at, s})
		s.heapAt = int32(len(*h))
		h.up(len(*h) - 1)
		return
	}
	if i := int(s.heapAt - 1); at < (*h)[i].at {
		(*h)[i].at = at
		h.up(i)
	}
}

// next returns the earliest time.
func (h timers) next() (int64, bool) {
	if len(h) == 0 {
		return 0, false
	}
	return h[0].at, true
}

// pop takes the slot that next is of.
func (h *timers) pop() *slot {
	s := (*h)[0].slot
	s.heapAt = 0
	last := len(*h) - 1
	moved := (*h)[last]
	(*h)[last] = timer{}
	*h = (*h)[:last]
	if last > 0 {
		(*h)[0] = moved
		moved.slot.heapAt = 1
		h.down(0)
	}
	return s
}

func (h timers) up(i int) {
	for i > 0 {
		parent := (i - 1) / 4
		if h[parent].at <= h[i].at {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h timers) down(i int) {
	for {
		least := i
		for child := 4*i + 1; child < len(h) && child <= 4*i+4; child++ {
			if h[child].at < h[least].at {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

func (h timers) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot.heapAt, h[j].slot.heapAt = int32(i+1), int32(j+1)
}
