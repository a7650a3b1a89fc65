package sqlitefile

import (
	"encoding/binary"
	"strings"
)

// maxDepth is more than a tree of any file has.
const maxDepth = 40

// Damage is what a tree could not tell.
type Damage struct {
	Pages int // that it leads to, and that are none of it, or were reached already
	Cells int // of its pages, that can't be read
	Rows  int // that were read
	Read  int // pages that rows were read from
}

// Whole reports whether everything was read.
func (d Damage) Whole() bool { return d.Pages == 0 && d.Cells == 0 }

// Lost is about how many rows were on the pages that couldn't be read, by what the others have.
func (d Damage) Lost() int {
	if d.Read == 0 {
		return d.Cells
	}
	return d.Cells + d.Pages*d.Rows/d.Read
}

// Roots returns where the trees of the tables and indexes begin, by their names, as far as that can be read.
func (f *File) Roots() (map[string]uint32, Damage) {
	roots := make(map[string]uint32)
	damage := f.Walk(1, true, func(r Row) bool {
		if len(r.Values) != 5 {
			return false
		}
		kind, _ := r.Values[0].(string)
		name, _ := r.Values[1].(string)
		root, _ := r.Values[3].(int64)
		if (kind == "table" || kind == "index") && root > 0 && root <= int64(f.pages) {
			roots[name] = uint32(root)
		}
		return true
	})
	return roots, damage
}

// Walk gives the rows of the tree that begins at root: of a table with rowids, or of an index, as a table without them is one. use returns
// whether a row can be one of the tree's; where none of a page can, the page counts as none of the tree.
func (f *File) Walk(root uint32, table bool, use func(Row) bool) (d Damage) {
	f.walk(root, table, maxDepth, use, &d)
	return d
}

func (f *File) walk(number uint32, table bool, depth int, use func(Row) bool, d *Damage) {
	if depth == 0 || f.seen[number] {
		d.Pages++
		return
	}
	n, err := f.node(number)
	if err != nil || n.table() != table {
		d.Pages++
		return
	}
	if !f.rows(n, use, d) {
		d.Pages++
		return
	}
	f.seen[number] = true
	for _, child := range n.children {
		f.walk(child, table, depth-1, use, d)
	}
}

// rows gives the rows of a page; it returns false where there are some and none can be used.
func (f *File) rows(n *node, use func(Row) bool, d *Damage) bool {
	if n.kind == innerTable {
		return true
	}
	used, bad := 0, n.bad
	for _, at := range n.cells {
		if r, err := f.row(n, at); err == nil && use(r) {
			used++
		} else {
			bad++
		}
	}
	if used == 0 && bad > 0 {
		return false
	}
	d.Cells += bad
	d.Rows += used
	d.Read++
	return true
}

// Skip marks the pages of the trees that begin at roots, and those of the list of free pages, so that Rest leaves them out. Pages that can't be
// read aren't marked.
func (f *File) Skip(roots map[string]uint32) {
	for _, root := range roots {
		n, err := f.node(root)
		if err == nil && !f.seen[root] {
			f.Walk(root, n.table(), func(Row) bool { return true })
		}
	}
	f.skipFree()
}

// skipFree follows the list of free pages: each page of it names the next one and some others.
func (f *File) skipFree() {
	first, err := f.page(1)
	if err != nil || !f.header.Whole {
		return
	}
	for next := binary.BigEndian.Uint32(first[32:]); next != 0 && !f.seen[next]; {
		page, err := f.page(next)
		if err != nil {
			return
		}
		count := int(binary.BigEndian.Uint32(page[4:]))
		if count > len(page)/4-2 {
			return
		}
		f.seen[next] = true
		for i := range count {
			f.seen[binary.BigEndian.Uint32(page[8+4*i:])] = true
		}
		next = binary.BigEndian.Uint32(page)
	}
}

// Rest gives the rows of all pages that nothing has led to yet, and whether they are of a table with rowids. What they belong to only the rows
// themselves tell; they may be of the past.
func (f *File) Rest(use func(r Row, table bool)) {
	for number := uint32(1); number <= f.pages; number++ {
		if f.seen[number] {
			continue
		}
		n, err := f.node(number)
		if err != nil || n.kind == innerTable {
			continue
		}
		for _, at := range n.cells {
			if r, err := f.row(n, at); err == nil {
				use(r, n.table())
			}
		}
	}
}

// Shape describes a row by a letter for each value: n for NULL, i for an integer, r for a real, t for text, b for bytes.
func (r Row) Shape() string {
	var shape strings.Builder
	for _, v := range r.Values {
		switch v.(type) {
		case nil:
			shape.WriteByte('n')
		case int64:
			shape.WriteByte('i')
		case float64:
			shape.WriteByte('r')
		case string:
			shape.WriteByte('t')
		default:
			shape.WriteByte('b')
		}
	}
	return shape.String()
}
