package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
)

func TestTextFitsTheWidth(t *testing.T) {
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("%q", fmt.Sprintf("alias-%d", i)))
	}
	_, diags := loadText(`network "lab" {
  address = "10.0.0.1/24"
  host "a" {
    address = "10.0.0.5"
    aliases = [` + strings.Join(names, ", ") + `, "under_score", ` + strings.ReplaceAll(strings.Join(names, ", "), "alias", "other") + `]
  }
}`)
	for _, width := range []int{40, 60, 100} {
		var out bytes.Buffer
		if err := diags.WriteText(&out, false, width); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")
		for _, line := range lines[2:] {
			if runewidth.StringWidth(line) > width {
				t.Errorf("width %d: %d columns: %s", width, runewidth.StringWidth(line), line)
			}
		}
		// The marks stand under what they mark, also when the line is cut.
		source, marks := lines[2], lines[3]
		at := runewidth.StringWidth(source[:strings.Index(source, `"under_score"`)])
		if got := strings.Index(marks, "^"); got != at {
			t.Errorf("width %d: marked column %d, not %d:\n%s\n%s", width, got, at, source, marks)
		}
	}
}

func TestColourOnlyWhenAsked(t *testing.T) {
	_, diags := loadText("network \"lab\" {\n  adress = \"\x1b[31m\"\n}")
	for _, color := range []bool{false, true} {
		var out bytes.Buffer
		if err := diags.WriteText(&out, color, 80); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "\x1b["); got != color {
			t.Errorf("colour %v: %q", color, out.String())
		}
		if strings.Contains(out.String(), "\x1b[31m") {
			t.Errorf("an escape sequence of the file came through: %q", out.String())
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestWriteErrorIsReturned(t *testing.T) {
	_, diags := loadText("network {}")
	if err := diags.WriteText(fullDisk{}, false, 0); err == nil {
		t.Error("no error")
	}
}

func TestNilDiagnosticsAreEmpty(t *testing.T) {
	var d *Diagnostics
	if d.HasErrors() || d.All() != nil {
		t.Error("not empty")
	}
	if b, err := d.MarshalJSON(); err != nil || string(b) != `{"errors":0,"warnings":0,"diagnostics":[]}` {
		t.Errorf("%s, %v", b, err)
	}
}
