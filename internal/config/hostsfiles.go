package config

import "fmt"

func hostsFilesArgument() argument {
	return argument{
		name: "hosts_files", kind: listOf(directory()), fallback: "[]", example: `["/etc/hosts", "/etc/labnet/printers.hosts"]`,
		doc: "files of addresses and names as `/etc/hosts` is one ([guide](guide.md#hosts-files)): names without dots are in the domain. They are read again when they change",
	}
}

// hostsFilesOf returns the network's hosts files.
func (b *builder) hostsFilesOf(n *node) []string {
	c := &claims{b: b, taken: map[string]claim{}}
	for _, e := range n.elems("hosts_files") {
		path := e.v.(string)
		if !c.take(n, path, "this block", e.at, fmt.Sprintf("the hosts file %q stands twice", path), "Once is enough.") || b.look == nil {
			continue
		}
		if err := b.look(path); err != nil {
			b.warn(n, e.at, fmt.Sprintf("the hosts file %q can't be read: %s", path, reason(err)), "Until it can, its names aren't answered; labnet looks for it every second.")
		}
	}
	return list[string](n, "hosts_files")
}
