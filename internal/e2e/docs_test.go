package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// snippet is a fenced block of a document.
type snippet struct {
	place, language, text string
}

// snippets are the blocks of all documents. Every one says its language: text is what isn't to be run.
func snippets(t *testing.T) []snippet {
	t.Helper()
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []snippet
	for _, document := range append(documents, "../../README.md") {
		var current *snippet
		number := 0
		for line := range strings.Lines(read(t, document)) {
			number++
			fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
			switch {
			case isFence && current == nil:
				current = &snippet{place: fmt.Sprintf("%s:%d", filepath.Base(document), number), language: fence}
			case isFence:
				out = append(out, *current)
				current = nil
			case current != nil:
				current.text += line
			}
		}
		if current != nil {
			t.Errorf("%s: the block isn't closed", current.place)
		}
	}
	return out
}

func TestDocumentedConfigurationsAreFine(t *testing.T) {
	checked := 0
	for _, s := range snippets(t) {
		switch s.language {
		case "hcl":
			file := filepath.Join(t.TempDir(), "snippet.hcl")
			write(t, file, s.text)
			if out, err := exec.Command(binary(t), "check", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s\n%s", s.place, err, s.text, out)
			}
			checked++
		case "sh", "text", "json":
		default:
			t.Errorf("%s: a block in %q; the languages are hcl (checked), sh (run), json and text", s.place, s.language)
		}
	}
	if checked < 5 {
		t.Errorf("only %d configurations found", checked)
	}
}

// TestREADMEWorks types the commands of the README on a router, one block after the other. A block that ends by `labnet run` is
// left running, as a person would in a terminal of its own.
func TestREADMEWorks(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// What the commands find: the checkout with the binary that is built already, and a sudo that has nothing to do.
	work, bin := t.TempDir(), t.TempDir()
	write(t, filepath.Join(bin, "sudo"), "#!/bin/sh\nexec \"$@\"\n")
	write(t, filepath.Join(bin, "make"), "#!/bin/sh\ntest -e \""+checkout+"/Makefile\" && grep -q \"^$1:\" \""+checkout+"/Makefile\" && mkdir -p bin && cp \""+binary(t)+"\" bin/labnet\n")
	// install(1) copies into a directory of the test's in place of /usr/local/bin.
	write(t, filepath.Join(bin, "install"), "#!/bin/sh\ntest \"$2\" = /usr/local/bin/ && exec cp \"$1\" "+bin+"\n")
	for _, name := range []string{"sudo", "make", "install"} {
		if err := os.Chmod(filepath.Join(bin, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	shell := func(script string) []string {
		return []string{"env", "PATH=" + bin + ":" + os.Getenv("PATH"), "sh", "-e", "-x", "-c", "cd " + work + "\n" + script}
	}
	ran := 0
	for _, s := range snippets(t) {
		if s.language != "sh" || !strings.HasPrefix(s.place, "README.md") {
			continue
		}
		ran++
		script := strings.TrimRight(s.text, "\n")
		if foreground := regexp.MustCompile(`(?m)^sudo (bin/)?labnet run.*\z`).FindString(script); foreground != "" {
			script = strings.TrimSuffix(script, foreground)
			l.router.Start(t, shell("exec "+foreground)...)
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit*2)
		out, err := l.router.Command(ctx, shell(script)...).CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("%s: %v\n%s", s.place, err, out)
		}
		t.Logf("%s:\n%s", s.place, out)
	}
	if ran < 5 {
		t.Errorf("only %d blocks of commands found in the README", ran)
	}
	if links := l.router.Run(t, "ip", "-o", "link"); strings.Contains(links, "br0") {
		t.Errorf("after the README's last command the bridge is still there:\n%s", links)
	}
}
