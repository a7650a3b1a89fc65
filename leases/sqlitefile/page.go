package sqlitefile

import (
	"encoding/binary"
	"errors"
	"math"
)

// The kinds of a tree's pages.
const (
	innerIndex = 2
	innerTable = 5
	leafIndex  = 10
	leafTable  = 13
)

// Row is a row of a table. ID is its rowid, 0 in a table without. Values are nil, int64, float64, string or []byte.
type Row struct {
	ID     int64
	Values []any
}

var (
	errShort   = errors.New("a record ends in the middle")
	errNoPage  = errors.New("no page of a tree")
	errNoOrder = errors.New("a record's pages lead nowhere")
)

// node is a page of a tree, as far as it makes sense.
type node struct {
	number   uint32
	page     []byte
	kind     byte
	cells    []int // where they begin
	bad      int   // that can't be
	children []uint32
}

func (n *node) table() bool { return n.kind == innerTable || n.kind == leafTable }

// node reads a page of a tree.
func (f *File) node(number uint32) (*node, error) {
	page, err := f.page(number)
	if err != nil {
		return nil, err
	}
	n := &node{number: number, page: page}
	head := 0
	if number == 1 {
		head = headerLen
	}
	n.kind = page[head]
	inner := n.kind == innerIndex || n.kind == innerTable
	if !inner && n.kind != leafIndex && n.kind != leafTable {
		return nil, errNoPage
	}
	count := int(binary.BigEndian.Uint16(page[head+3:]))
	pointers := head + 8
	if inner {
		pointers += 4
	}
	if pointers+2*count > len(page) {
		return nil, errNoPage
	}
	for i := range count {
		at := int(binary.BigEndian.Uint16(page[pointers+2*i:]))
		if at < pointers+2*count || at+4 > len(page) {
			n.bad++
			continue
		}
		n.cells = append(n.cells, at)
		if inner {
			n.children = append(n.children, binary.BigEndian.Uint32(page[at:]))
		}
	}
	if inner {
		n.children = append(n.children, binary.BigEndian.Uint32(page[head+8:]))
	}
	return n, nil
}

// row reads a cell. There is none in an inner page of a table.
func (f *File) row(n *node, at int) (Row, error) {
	if n.kind == innerIndex {
		at += 4 // the child
	}
	length, size := varint(n.page[at:])
	if size == 0 || length < 0 || length > int64(f.pages)*int64(f.pageSize) {
		return Row{}, errShort
	}
	at += size
	var r Row
	if n.kind == leafTable {
		if r.ID, size = varint(n.page[at:]); size == 0 {
			return Row{}, errShort
		}
		at += size
	}
	payload, err := f.payload(n, at, int(length))
	if err != nil {
		return Row{}, err
	}
	r.Values, err = record(payload)
	return r, err
}

// payload returns a cell's record, with what of it lies on pages of its own.
func (f *File) payload(n *node, at, length int) ([]byte, error) {
	usable := f.pageSize
	most := usable - 35
	if !n.table() {
		most = (usable-12)*64/255 - 23
	}
	local := length
	if length > most {
		least := (usable-12)*32/255 - 23
		if local = least + (length-least)%(usable-4); local > most {
			local = least
		}
	}
	if at+local > len(n.page) {
		return nil, errShort
	}
	payload := n.page[at : at+local]
	if local == length {
		return payload, nil
	}
	if at+local+4 > len(n.page) {
		return nil, errShort
	}
	payload = append(make([]byte, 0, length), payload...)
	next := binary.BigEndian.Uint32(n.page[at+local:])
	for len(payload) < length {
		page, err := f.page(next)
		if err != nil {
			return nil, errNoOrder
		}
		f.seen[next] = true
		next = binary.BigEndian.Uint32(page)
		payload = append(payload, page[4:min(len(page), 4+length-len(payload))]...)
	}
	return payload, nil
}

// record splits a record into its values.
func record(b []byte) ([]any, error) {
	length, size := varint(b)
	if size == 0 || length < int64(size) || length > int64(len(b)) {
		return nil, errShort
	}
	types, body := b[size:length], b[length:]
	var values []any
	for len(types) > 0 {
		kind, size := varint(types)
		if size == 0 {
			return nil, errShort
		}
		types = types[size:]
		v, used, ok := value(kind, body)
		if !ok {
			return nil, errShort
		}
		values, body = append(values, v), body[used:]
	}
	return values, nil
}

// value reads a value of a serial type.
func value(kind int64, b []byte) (v any, used int, ok bool) {
	integers := [...]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
	switch {
	case kind == 0:
		return nil, 0, true
	case kind == 8, kind == 9:
		return kind - 8, 0, true
	case kind >= 1 && kind <= 6:
		used = integers[kind]
		if used > len(b) {
			return nil, 0, false
		}
		n := int64(int8(b[0]))
		for _, c := range b[1:used] {
			n = n<<8 | int64(c)
		}
		return n, used, true
	case kind == 7:
		if len(b) < 8 {
			return nil, 0, false
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), 8, true
	case kind < 12 || (kind-12)/2 > int64(len(b)):
		return nil, 0, false
	}
	used = int((kind - 12) / 2)
	if kind%2 == 0 {
		return append([]byte{}, b[:used]...), used, true
	}
	return string(b[:used]), used, true
}

// varint reads an integer of one to nine bytes; its size is 0 where there is none.
func varint(b []byte) (v int64, size int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | int64(b[i]), 9
		}
		v = v<<7 | int64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
