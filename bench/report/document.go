package report

import (
	"errors"
	"os"
	"strings"
)

// The markers that results stand between in a document.
const (
	beginMarker = "<!-- results: written by `make %` -->\n"
	EndMarker   = "<!-- end of results -->\n"
)

// BeginMarker is the line before the results of a target of the Makefile; EndMarker is the one after them.
func BeginMarker(target string) string { return strings.Replace(beginMarker, "%", target, 1) }

// Replace puts text into a file in place of the results of a target.
func Replace(name, target, text string) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	begin := BeginMarker(target)
	before, rest, ok := strings.Cut(string(old), begin)
	_, after, ok2 := strings.Cut(rest, EndMarker)
	if !ok || !ok2 {
		return errors.New("it has no markers: " + strings.TrimSpace(begin) + " and " + strings.TrimSpace(EndMarker))
	}
	return os.WriteFile(name, []byte(before+begin+"\n"+text+"\n"+EndMarker+after), 0o644)
}
