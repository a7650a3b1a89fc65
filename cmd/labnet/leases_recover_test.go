package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/daemon"
)

func TestRecoveryIsWritten(t *testing.T) {
	broken := daemon.Recovery{
		Database: "/var/lib/labnet/leases.db", Problems: []string{"damaged", "\x1b[31m"}, Leases: 120, Bound: 100, FromLog: 3, History: 4000, Reservations: 2,
		Lost: []string{"table leases: 1 page can't be read, about 20 rows"},
	}
	saved := broken
	saved.SetAside = "/var/lib/labnet/leases.db.damaged-20260301T140000Z"
	for name, r := range map[string]daemon.Recovery{
		"recovery-broken": broken, "recovery-saved": saved, "recovery-sound": {Database: broken.Database, Leases: 7, Bound: 5},
	} {
		var text bytes.Buffer
		if err := writeRecovery(&text, r); err != nil {
			t.Fatal(err)
		}
		harmless(t, text.String())
		golden(t, name, text.String())
	}
}

func TestRecover(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "leases.db")
	recovered := func(args ...string) result {
		return labnet(t, nil, append([]string{"leases", "recover", "-c", "none", "--state-dir", dir}, args...)...)
	}
	if got := recovered(); got.Code != exitFailed || !strings.Contains(got.ErrOut, "there is nothing to recover") {
		t.Errorf("without a database: %+v", got)
	}
	if err := os.WriteFile(path, []byte("what?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := recovered(); got.Code != exitFailed || got.ErrOut != "" || !strings.Contains(got.Out, "not an SQLite file") || !strings.Contains(got.Out, "Nothing was changed") {
		t.Errorf("another file: %+v", got)
	}
	if got := recovered("-o", "json"); got.Code != exitFailed || !strings.Contains(got.Out, `"leases": 0`) || strings.Contains(got.Out, "set_aside") {
		t.Errorf("another file, in JSON: %+v", got)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "what?" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if got := recovered("--set-aside"); got.Code != exitDone || !strings.Contains(got.Out, path+".damaged-") {
		t.Errorf("set aside: %+v", got)
	}
	if got := recovered(); got.Code != exitDone || !strings.Contains(got.Out, "nothing") {
		t.Errorf("afterwards: %+v", got)
	}
	if found, err := filepath.Glob(path + ".damaged-*/leases.db"); err != nil || len(found) != 1 {
		t.Errorf("set aside are %q, %v", found, err)
	}
}
