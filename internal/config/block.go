package config

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func blockBlock() *block {
	return &block{
		name: "block", needs: []string{"files"},
		doc: "Names of the outside that are not answered, such as those of advertisers: [blocking](guide.md#blocking) has the formats of the lists. Names of the networks here are never blocked.",
		args: []argument{
			{
				name: "files", kind: listOf(directory()), required: true, example: `["/etc/labnet/ads.hosts", "/etc/labnet/more.txt"]`,
				doc: "the lists, hosts files or domains a line. They are read again when they change",
			},
			{
				name: "allow", kind: listOf(zoneName()), fallback: "[]", example: `["good.example.com"]`,
				doc: "domains, with all below them, that are not blocked, whatever the lists say",
			},
			{
				name: "answer", kind: oneOf("nxdomain", "null"), fallback: `"nxdomain"`, example: `"null"`,
				doc: "`nxdomain`: there is no such name, `null`: its addresses are 0.0.0.0 and ::",
			},
		},
	}
}

func (b *builder) blocking(n *node) Block {
	out := Block{Files: list[string](n, "files"), Allow: list[string](n, "allow"), Answer: get[string](n, "answer")}
	c := &claims{b: b, taken: map[string]claim{}}
	for _, e := range n.elems("files") {
		path := e.v.(string)
		if !c.take(n, path, "this block", e.at, fmt.Sprintf("the list %q stands twice", path), "Once is enough.") || b.look == nil {
			continue
		}
		if err := b.look(path); err != nil {
			b.warn(n, e.at, fmt.Sprintf("the list %q can't be read: %s", path, reason(err)), "Until it can, nothing is blocked by it; labnet looks for it every second.")
		}
	}
	if n.has("files") && len(n.elems("files")) == 0 && !n.wrong("files") {
		b.error(n, n.at("files"), "no list is named", `Write, for instance: files = ["/etc/labnet/ads.hosts"]. Leave the block out to block nothing.`)
	}
	return out
}

// readable returns why a list can't be read, without looking into it.
func readable(path string) error {
	// Without waiting for whoever writes into a pipe.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return errors.New("it is not an ordinary file")
	}
	return nil
}
