package dhcpserver

import (
	"strings"
	"testing"
)

func TestEveryReasonHasAText(t *testing.T) {
	for _, r := range reasons {
		switch text := r.Text(); {
		case text == "":
			t.Errorf("%s has no text", r)
		case len(text) > 40:
			t.Errorf("%s: %q is too long for a line", r, text)
		case strings.HasSuffix(text, ".") || strings.ContainsAny(text, "\n\t"):
			t.Errorf("%s: %q", r, text)
		}
	}
	if len(reasonTexts) != len(reasons) {
		t.Errorf("%d texts for %d reasons", len(reasonTexts), len(reasons))
	}
	if got := Reason("nonsense").Text(); got != "" {
		t.Errorf("what is no reason: %q", got)
	}
}
