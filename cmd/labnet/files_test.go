package main

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	untidy = "network   \"lab\" {\naddress=\"10.0.0.1/24\"\n}\n\n\n"
	tidy   = "network \"lab\" {\n  address = \"10.0.0.1/24\"\n}\n"
	broken = "network \"lab\" {\n  address = \n"
	wrong  = "network \"lab\" {\n  address = \"10.0.0.1/24\"\n  adress = \"10.0.0.0/33\"\n}\n\nnetwork \"lab\" {\n  address = \"10.0.0.9/24\"\n}\n"
)

// inDir works in a fresh directory with the given files, so that messages hold no path of this machine.
func inDir(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func wantFile(t *testing.T, name, want string) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// alone tells whether nothing but the named files is left in the working directory.
func alone(t *testing.T, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestFmt(t *testing.T) {
	for _, test := range []struct {
		name string
		args string
		in   string
		want result
		file string // a.hcl, afterwards
	}{
		{"in place", "fmt a.hcl", "", result{exitDone, "a.hcl\n", ""}, tidy},
		{"formatted already", "fmt tidy.hcl", "", result{exitDone, "", ""}, untidy},
		{"by --config", "fmt -c a.hcl", "", result{exitDone, "a.hcl\n", ""}, tidy},
		{"check", "fmt --check a.hcl", "", result{exitFailed, "a.hcl\n", ""}, untidy},
		{"check of a formatted one", "fmt --check tidy.hcl", "", result{exitDone, "", ""}, untidy},
		{"standard input", "fmt -", untidy, result{exitDone, tidy, ""}, untidy},
		{"check of standard input", "fmt --check -", untidy, result{exitFailed, "-\n", ""}, untidy},
		{"a directory", "fmt .", "", result{exitDone, "a.hcl\n", ""}, tidy},
		{"missing, the others done", "fmt none.hcl a.hcl", "", result{exitFailed, "a.hcl\n", "labnet: open none.hcl: no such file or directory\n"}, tidy},
	} {
		t.Run(test.name, func(t *testing.T) {
			inDir(t, map[string]string{"a.hcl": untidy, "tidy.hcl": tidy, ".hidden.hcl": untidy, "a.txt": untidy, "sub/b.hcl": untidy})
			if diff := cmp.Diff(test.want, labnet(t, strings.NewReader(test.in), strings.Fields(test.args)...)); diff != "" {
				t.Error(diff)
			}
			wantFile(t, "a.hcl", test.file)
			for _, other := range []string{".hidden.hcl", "a.txt", "sub/b.hcl"} {
				wantFile(t, other, untidy)
			}
			alone(t, ".hidden.hcl", "a.hcl", "a.txt", "sub", "tidy.hcl")
		})
	}
}

func TestFmtLeavesWrongFilesAlone(t *testing.T) {
	inDir(t, map[string]string{"a.hcl": untidy, "broken.hcl": broken})
	got := labnet(t, nil, "fmt", "none.hcl", "broken.hcl", "a.hcl")
	if got.Code != exitFailed || got.Out != "a.hcl\n" {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{"broken.hcl:", "broken.hcl is left alone", "open none.hcl"} {
		if !strings.Contains(got.ErrOut, want) {
			t.Errorf("%q is missing from:\n%s", want, got.ErrOut)
		}
	}
	wantFile(t, "broken.hcl", broken)
	wantFile(t, "a.hcl", tidy)
}

func TestFmtKeepsModeOwnerAndLink(t *testing.T) {
	inDir(t, map[string]string{"real/a.hcl": untidy})
	if err := os.Chmod("real/a.hcl", 0o640); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 12345, 54321
		if err := os.Chown("real/a.hcl", uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("real/a.hcl", "link.hcl"); err != nil {
		t.Fatal(err)
	}
	if got := labnet(t, nil, "fmt", "link.hcl"); got.Code != exitDone {
		t.Fatalf("%+v", got)
	}
	wantFile(t, "real/a.hcl", tidy)
	if to, err := os.Readlink("link.hcl"); err != nil || to != "real/a.hcl" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	info, err := os.Stat("real/a.hcl")
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if info.Mode() != 0o640 || int(owner.Uid) != uid || int(owner.Gid) != gid {
		t.Errorf("mode %v, owner %d:%d, want %d:%d", info.Mode(), owner.Uid, owner.Gid, uid, gid)
	}
}

// A file that can't be written whole stays as it was: here the limit of file sizes plays the full disk. It leaves room for what the testing
// package may write meanwhile.
func TestReplaceFileIsAllOrNothing(t *testing.T) {
	inDir(t, map[string]string{"a.hcl": untidy})
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	const room = 4 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: room, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	err := replaceFile("a.hcl", make([]byte, room+1))
	if restored := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); restored != nil {
		t.Fatal(restored)
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("err %v", err)
	}
	wantFile(t, "a.hcl", untidy)
	alone(t, "a.hcl")
}

func TestInit(t *testing.T) {
	inDir(t, map[string]string{"old.hcl": untidy})
	starter := labnet(t, nil, "init", "routed", "-")
	if starter.Code != exitDone || !strings.Contains(starter.Out, "network") {
		t.Fatalf("%+v", starter)
	}
	if got := labnet(t, nil, "init", "routed", "sub/new.hcl"); got.Code != exitDone || !strings.Contains(got.Out, "labnet plan -c sub/new.hcl") {
		t.Errorf("%+v", got)
	}
	wantFile(t, "sub/new.hcl", starter.Out)
	if got := labnet(t, nil, "check", "sub/new.hcl"); got.Code != exitDone || got.Out != "sub/new.hcl: fine (1 network)\n" {
		t.Errorf("what init wrote: %+v", got)
	}
	if got := labnet(t, nil, "fmt", "--check", "sub/new.hcl"); got.Code != exitDone {
		t.Errorf("what init wrote isn't formatted: %+v", got)
	}
	if got := labnet(t, nil, "init", "routed", "old.hcl"); got.Code != exitFailed || !strings.Contains(got.ErrOut, "--force") {
		t.Errorf("%+v", got)
	}
	wantFile(t, "old.hcl", untidy)
	for _, args := range []string{"init routed sub", "init --force routed sub"} {
		if got := labnet(t, nil, strings.Fields(args)...); got.Code != exitFailed || !strings.Contains(got.ErrOut, "sub is a directory") {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if got := labnet(t, nil, "init", "--force", "-c", "old.hcl", "routed"); got.Code != exitDone {
		t.Errorf("%+v", got)
	}
	wantFile(t, "old.hcl", starter.Out)
	alone(t, "old.hcl", "sub")
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name, file string
		code       int
	}{
		{"tidy", tidy, exitDone},
		{"broken", broken, exitFailed},
		{"wrong", wrong, exitFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			inDir(t, map[string]string{"lab.hcl": test.file})
			text, asJSON := labnet(t, nil, "check", "lab.hcl"), labnet(t, nil, "check", "-c", "lab.hcl", "-o", "json")
			if text.Code != test.code || asJSON.Code != test.code || text.ErrOut != "" || asJSON.ErrOut != "" {
				t.Errorf("text: %+v\nJSON: %+v", text, asJSON)
			}
			golden(t, "check-"+test.name, text.Out)
			golden(t, "check-"+test.name+"-json", asJSON.Out)
		})
	}
}

func TestPlanOfAWrongFile(t *testing.T) {
	inDir(t, map[string]string{"lab.hcl": wrong})
	for _, verb := range []string{"plan", "run"} {
		if got := labnet(t, nil, verb, "-c", "lab.hcl"); got.Code != exitFailed || got.Out != "" || !strings.Contains(got.ErrOut, "lab.hcl:3") {
			t.Errorf("%s: %+v", verb, got)
		}
	}
}
