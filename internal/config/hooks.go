package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/zclconf/go-cty/cty"
)

// Hook is a program or a URL that is told what happens to leases.
type Hook struct {
	Name       string
	On         []string // lease.bound and the like, each once; never empty
	Networks   []string // in lower case; none: all
	Timeout    time.Duration
	Command    []string // the program by its absolute path, and its arguments; none: URL
	User       string   // the program's; "": labnet's own
	URL        string   // http or https, without user and fragment
	SecretFile string   // absolute; "": the body isn't signed
	TokenFile  string   // absolute; "": no Authorization
}

// The bounds of a hook's timeout.
const (
	minHookTimeout = time.Second
	maxHookTimeout = 5 * time.Minute
)

// leaseEvents are what a hook can be told of; the first four unless it says otherwise.
func leaseEvents() []string {
	return []string{
		"lease.bound", "lease.released", "lease.expired", "lease.conflict",
		"lease.renewed", "lease.changed", "lease.cleared",
	}
}

func hookBlock() *block {
	return &block{
		name: "hook", many: true, unique: true, needs: []string{"command"},
		label: &label{doc: "The name stands in messages and in `labnet status`.", example: "inventory"},
		doc: "A program that is run, or a URL that is called, for what happens to leases, with the event as JSON; " +
			"[hooks](guide.md#telling-others) shows both. It has one of `command` and `url`. No guest ever waits for a hook.",
		args: []argument{
			{
				name: "on", kind: listOf(leaseEvent()), fallback: `["lease.bound", "lease.released", "lease.expired", "lease.conflict"]`,
				example: `["lease.bound", "lease.changed"]`,
				doc: "the events: a client has got an address (`lease.bound`), has given it back or an operator has (`lease.released`), its time is over (`lease.expired`), " +
					"another machine uses the address (`lease.conflict`); also, where named, `lease.renewed`, `lease.changed` (another name or MAC) and `lease.cleared` " +
					"(an address that had a conflict can be leased again)",
			},
			{
				name: "networks", kind: listOf(label63()), computed: "all", example: `["lab"]`,
				doc: "the networks whose leases it is told of",
			},
			{
				name: "command", kind: listOf(text()), example: `["/usr/local/bin/on-lease", "--add"]`,
				doc: "the program by its absolute path, and its arguments. There is no shell. The event stands on its standard input",
			},
			{
				name: "user", kind: text(), computed: "labnet's own", example: `"nobody"`,
				doc: "the user, with his groups, that the program runs as",
			},
			{
				name: "url", kind: httpURL(), with: []string{}, example: `"https://inventory.example/hook"`,
				doc: "where the event is sent by POST. Certificates are checked against the system's; a redirect to elsewhere is not followed",
			},
			{
				name: "secret_file", kind: directory(), with: []string{"url"}, example: `"/etc/labnet/hook.secret"`,
				doc: "a file whose content, without white space at its end, is the key of `X-Labnet-Signature: sha256=…`, the HMAC-SHA256 of the body in hexadecimal. It is read anew for each event",
			},
			{
				name: "token_file", kind: directory(), with: []string{"url"}, example: `"/etc/labnet/hook.token"`,
				doc: "a file whose content, likewise, is sent as `Authorization: Bearer …`",
			},
			{
				name: "timeout", kind: duration(minHookTimeout, maxHookTimeout, false), fallback: `"10s"`, example: `"30s"`,
				doc: "how long the program may run, `1s` to `5m`, before it and what it has started are killed; of a URL, how long each attempt may take",
			},
		},
	}
}

// leaseEvent is one of leaseEvents, which people may know by other names.
func leaseEvent() kind {
	events := leaseEvents()
	listed := oneOf(events...)
	dnsmasq := map[string]string{"add": `"lease.bound"`, "old": `"lease.changed" and "lease.renewed"`, "del": `"lease.released" and "lease.expired"`}
	k := ofText("text", func(s string) (any, error) {
		if full := "lease." + strings.ToLower(s); slices.Contains(events, full) {
			return nil, faultf(fmt.Sprintf("Did you mean %q?", full), "%q is not one of %s", s, enumerate(events, "or"))
		}
		if here, ok := dnsmasq[s]; ok {
			return nil, faultf(fmt.Sprintf("What dnsmasq calls %q is %s.", s, here), "%q is not one of %s", s, enumerate(events, "or"))
		}
		return listed.parse(cty.StringVal(s))
	})
	k.name, k.values = listed.name, listed.values
	return k
}

func httpURL() kind {
	const help = `Write, for instance, "https://inventory.example/hook".`
	return ofText("URL", func(s string) (any, error) {
		u, err := url.Parse(s)
		switch {
		// Not the library's words: they have the text with its control characters, or a password, in them.
		case err != nil:
			return nil, faultf(help, "this is not a URL")
		case u.Scheme != "http" && u.Scheme != "https":
			return nil, faultf(help, "the URL is not one of http or https")
		case u.Hostname() == "":
			return nil, faultf(help, "the URL names no host")
		case u.Fragment != "":
			return nil, faultf("No server is ever sent what stands behind the #.", "the URL has a fragment in it")
		}
		return s, nil
	})
}

func (b *builder) hooks(root *node) []Hook {
	var out []Hook
	for _, n := range root.blocks["hook"] {
		h := Hook{
			Name: n.label, On: list[string](n, "on"), Networks: list[string](n, "networks"), Timeout: get[time.Duration](n, "timeout"),
			Command: list[string](n, "command"), User: get[string](n, "user"),
			URL: get[string](n, "url"), SecretFile: get[string](n, "secret_file"), TokenFile: get[string](n, "token_file"),
		}
		b.checkHookName(n)
		b.checkHookLists(n)
		b.checkHookKind(n)
		b.checkCommand(n, h)
		b.checkURL(n, h)
		out = append(out, h)
	}
	return out
}

func (b *builder) checkHookName(n *node) {
	if strings.TrimSpace(n.label) == "" || len(n.label) > 63 || strings.ContainsFunc(n.label, func(c rune) bool { return !unicode.IsPrint(c) }) {
		b.error(n, n.name, "this can't be the name of a hook", "It is a text of 1 to 63 bytes that can be printed.")
	}
}

// checkHookLists finds what is named twice, or not there.
func (b *builder) checkHookLists(n *node) {
	c := &claims{b: b, taken: map[string]claim{}}
	for _, e := range n.elems("on") {
		c.take(n, "event "+e.v.(string), "this hook", e.at, fmt.Sprintf("the event %q stands twice", e.v), "Once is enough.")
	}
	names := make([]string, len(b.networks))
	for i, p := range b.networks {
		names[i] = p.Name
	}
	for _, e := range n.elems("networks") {
		name := e.v.(string)
		c.take(n, "network "+name, "this hook", e.at, fmt.Sprintf("the network %q stands twice", name), "Once is enough.")
		i := slices.Index(names, name)
		switch {
		case i < 0:
			b.error(n, e.at, fmt.Sprintf("there is no network %q", name), didYouMean(name, names))
		case !b.networks[i].DHCP.Enabled:
			b.warn(n, e.at, fmt.Sprintf("nothing is leased in the network %q", name), "Its DHCP service is not enabled.", here(b.networks[i].dhcp.at("enabled"), "network %q", name))
		}
	}
	for name, advice := range map[string]string{
		"on":       "Leave it out for the usual ones, or name one.",
		"networks": "Leave it out for all networks.",
		"command":  `Write, for instance: command = ["/usr/local/bin/on-lease"]`,
	} {
		if n.has(name) && len(n.elems(name)) == 0 && !n.wrong(name) {
			b.error(n, n.at(name), fmt.Sprintf("%q is empty", name), advice)
		}
	}
}

// checkHookKind finds arguments that belong to the other kind of hook.
func (b *builder) checkHookKind(n *node) {
	misspelt := slices.Contains(n.misspelt, "command") || slices.Contains(n.misspelt, "url")
	switch {
	case n.has("command") && n.has("url"):
		b.error(n, n.at("url"), "a hook runs a command or calls a url, not both", "Make two hooks of it.", here(n.at("command"), "the command"))
		return
	case !n.has("command") && !n.has("url") && !misspelt:
		b.error(n, n.name, "the hook does nothing", `It needs a command = ["/usr/local/bin/on-lease"] or a url = "https://inventory.example/hook".`)
		return
	}
	for _, other := range []struct{ kind, name, advice string }{
		{"url", "user", "It is the user that a command runs as."},
		{"command", "secret_file", "It signs what is sent to a url. A command reads its own secrets."},
		{"command", "token_file", "It is sent to a url. A command reads its own secrets."},
	} {
		if n.has(other.kind) && n.has(other.name) {
			b.error(n, n.at(other.name), fmt.Sprintf("a hook with a %s has no %s", other.kind, other.name), other.advice)
		}
	}
}

// checkCommand finds a program that would be looked for where labnet was started, and what is meant for a shell.
func (b *builder) checkCommand(n *node, h Hook) {
	for i, e := range n.elems("command") {
		s := e.v.(string)
		switch {
		case strings.ContainsRune(s, 0):
			b.error(n, e.at, "the command has a zero byte in it", "")
		case i == 0 && !strings.HasPrefix(s, "/"):
			b.error(n, e.at, fmt.Sprintf("%q is not an absolute path", s), "The program is not looked for in PATH: write where it is, from the slash on.")
		case i == 0 && len(h.Command) == 1 && strings.ContainsAny(s, " \t|;&$<>"):
			b.warn(n, e.at, "the command has a character in it that is meant for a shell, and there is none",
				`Arguments are elements of their own: ["/usr/local/bin/on-lease", "--add"]. Where a shell is wanted, it is the program: ["/bin/sh", "-c", "…"].`)
		}
	}
	if n.has("user") && h.User == "" && !n.wrong("user") {
		b.error(n, n.at("user"), "the user has no name", "Leave it out for labnet's own.")
	}
}

// checkURL refuses a password in the file, and warns of a token that everybody on the way could read.
func (b *builder) checkURL(n *node, h Hook) {
	u, err := url.Parse(h.URL)
	switch {
	case err != nil || h.URL == "":
	case u.User != nil:
		// At the block's name: a message that shows the line would show the password.
		b.error(n, n.name, "the hook's URL has a user or a password in it", "Secrets stand in files of their own: see token_file.")
	case h.TokenFile != "" && u.Scheme == "http" && !loopback(u.Hostname()):
		b.warn(n, n.at("url"), fmt.Sprintf("the token can be read by everybody on the way to %s", u.Host), "Use https, or secret_file: that signs the event and shows nothing.")
	}
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
