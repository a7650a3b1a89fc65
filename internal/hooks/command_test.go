package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

func command(args ...string) *Config {
	return &Config{Name: "h", Command: args, Timeout: limit}
}

func TestAProgramIsToldEverything(t *testing.T) {
	checkLeaks(t)
	dir := shared(t)
	t.Setenv("SECRET_OF_THE_DAEMON", "1")
	path := script(t, "cd "+dir+`
cat >stdin
tr '\0' '\n' </proc/$$/environ | sort >environ
echo "$OLDPWD|$0|$#|$1|$2" >arguments
echo done
`)
	e := event(1, 57)
	before := e.Lease
	before.Name = "old"
	e.Before, e.Missed = &before, 3
	output, err := run(t.Context(), command(path, "--add", "$(reboot); *"), &e)
	if err != nil || output != "done" {
		t.Fatalf("%v, %q", err, output)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	want := `{"id":"START-1","event":"lease.bound","time":"2030-01-02T03:04:05Z","network":"lab","lease":{"network":"lab","address":"10.0.0.57",` +
		`"mac":"52:54:00:00:00:01","client_id":"01:52:54:00:00:00:01","name":"vm1","state":"bound","reserved":true,"start":"2030-01-02T03:04:05Z",` +
		`"expires":"2030-01-02T04:04:05Z","last_seen":"2030-01-02T03:04:05Z","hostname":"VM1 $(reboot)\u0000","vendor_class":"udhcp"},` +
		`"before":{"network":"lab","address":"10.0.0.57","mac":"52:54:00:00:00:01","client_id":"01:52:54:00:00:00:01","name":"old","state":"bound",` +
		`"reserved":true,"start":"2030-01-02T03:04:05Z","expires":"2030-01-02T04:04:05Z","last_seen":"2030-01-02T03:04:05Z",` +
		`"hostname":"VM1 $(reboot)\u0000","vendor_class":"udhcp"},"missed":3}` + "\n"
	if diff := cmp.Diff(want, read("stdin")); diff != "" {
		t.Error(diff)
	}
	wantEnv := "LABNET_ADDRESS=10.0.0.57\nLABNET_EVENT=lease.bound\nLABNET_MAC=52:54:00:00:00:01\nLABNET_NAME=vm1\nLABNET_NETWORK=lab\nLANG=C.UTF-8\n" +
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	if diff := cmp.Diff(wantEnv, read("environ")); diff != "" {
		t.Error(diff)
	}
	if got := read("arguments"); got != "/|"+path+"|2|--add|$(reboot); *\n" {
		t.Errorf("arguments: %q", got)
	}
}

func TestAProgramInheritsNoFiles(t *testing.T) {
	checkLeaks(t)
	// As a careless shell leaves one open.
	careless, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = careless.Close() }()
	if err := keepOnExec(careless); err != nil {
		t.Fatal(err)
	}
	var log journal
	cfg := command("/bin/ls", "/proc/self/fd")
	cfg.Events = []string{"lease.bound"}
	r := New([]Config{*cfg}, log.logger())
	start(t, r)
	r.Deliver(event(1, 57))
	nettest.Eventually(t, limit, func() error {
		// The fourth is the directory that ls reads.
		if !strings.Contains(log.String(), `output="0\n1\n2\n3"`) {
			return errors.New(log.String())
		}
		return nil
	})
}

func TestAProgramThatFailsSaysWhy(t *testing.T) {
	checkLeaks(t)
	for _, test := range []struct {
		name, script string
		output, err  string
	}{
		{"a status", "echo trying; echo 'no \033[31mroom' >&2; exit 3", "trying\nno \ufffd[31mroom", "exit status 3"},
		{"a signal", "kill -TERM $$", "", "signal: terminated"},
		{"much output", "head -c 1000000 /dev/zero | tr '\\0' x; exit 1", strings.Repeat("x", maxOutput) + "…", "exit status 1"},
		{"no reader", "exit 0", "", ""},
		{"a daemon that holds the output", "setsid sleep 3 & exit 0", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := event(1, 57)
			output, err := run(t.Context(), command(script(t, test.script)), &e)
			if output != test.output || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
				t.Errorf("%v, %q", err, output)
			}
		})
	}
	e := event(1, 57)
	if _, err := run(t.Context(), command("/nonexistent/on-lease"), &e); err == nil || !strings.Contains(err.Error(), "/nonexistent/on-lease can't be started: no such file") {
		t.Error(err)
	}
}

// family is a script that starts children, one that ignores what can be ignored, and writes down all process ids.
const family = `trap '' TERM HUP INT
sleep 1000 &
echo $! >>%[1]s
(trap '' TERM; while :; do sleep 1000; done) &
echo $! >>%[1]s
echo $$ >>%[1]s
echo ready >%[1]s.ready
%[2]s
`

// gone checks that no process of the list is alive.
func gone(t *testing.T, list string) {
	t.Helper()
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(text))
	if len(pids) != 3 {
		t.Fatalf("processes: %q", pids)
	}
	for _, pid := range pids {
		nettest.Eventually(t, limit, func() error {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if err == nil && !strings.Contains(string(stat), ") Z ") && !strings.Contains(string(stat), ") X ") {
				return fmt.Errorf("%s lives: %s", pid, stat)
			}
			return nil
		})
	}
}

func TestTheWholeGroupEnds(t *testing.T) {
	checkLeaks(t)
	e := event(1, 57)
	t.Run("at the time limit", func(t *testing.T) {
		list := filepath.Join(shared(t), "pids")
		cfg := command(script(t, fmt.Sprintf(family, list, "wait")))
		cfg.Timeout = 2 * time.Second
		if _, err := run(t.Context(), cfg, &e); err == nil || err.Error() != "still running after 2s, and killed; see timeout" {
			t.Error(err)
		}
		gone(t, list)
	})
	t.Run("at the end of the program", func(t *testing.T) {
		list := filepath.Join(shared(t), "pids")
		if _, err := run(t.Context(), command(script(t, fmt.Sprintf(family, list, "exit 0"))), &e); err != nil {
			t.Error(err)
		}
		gone(t, list)
	})
	t.Run("at the end of labnet", func(t *testing.T) {
		list := filepath.Join(shared(t), "pids")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := run(ctx, command(script(t, fmt.Sprintf(family, list, "wait"))), &e)
			ended <- err
		}()
		nettest.Eventually(t, limit, func() error {
			_, err := os.Stat(list + ".ready")
			return err
		})
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		gone(t, list)
	})
}

func TestAProgramRunsAsItsUser(t *testing.T) {
	nettest.NeedRoot(t)
	checkLeaks(t)
	cfg := command(script(t, "id -un; id -G; grep -c '^CapEff:.0*$' /proc/$$/status"))
	cfg.User = "nobody"
	e := event(1, 57)
	output, err := run(t.Context(), cfg, &e)
	if err != nil || output != "nobody\n65534\n1" {
		t.Errorf("%v, %q", err, output)
	}
	private := filepath.Join(t.TempDir(), "on-lease") // in a directory for root alone
	if err := os.WriteFile(private, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cfg.Command = []string{private}
	if _, err := run(t.Context(), cfg, &e); err == nil || err.Error() != private+` can't be started as "nobody": permission denied` {
		t.Error(err)
	}
	cfg.User = "no-such-user"
	if _, err := run(t.Context(), cfg, &e); err == nil || err.Error() != `there is no user "no-such-user"` {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	nettest.NeedRoot(t)
	fine := script(t, "exit 0")
	open, dull := script(t, ""), script(t, "")
	if err := errors.Join(os.Chmod(open, 0o777), os.Chmod(dull, 0o644)); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := mkfifo(pipe); err != nil {
		t.Fatal(err)
	}
	private, public := secretFile(t, "s3cret\n", 0o600), secretFile(t, "s3cret\n", 0o644)
	for _, test := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"all is well", Config{Command: []string{fine}, User: "nobody"}, ""},
		{"no program", Config{Command: []string{"/nonexistent"}}, "there is no program /nonexistent"},
		{"a directory", Config{Command: []string{"/"}}, "/ is no program that can be run"},
		{"not executable", Config{Command: []string{dull}}, "is no program that can be run"},
		{"for everybody to write", Config{Command: []string{open}}, "everybody can write"},
		{"no user", Config{Command: []string{fine}, User: "no-such-user"}, `there is no user "no-such-user"`},
		{"a secret", Config{URL: "https://x", SecretFile: private, TokenFile: private}, ""},
		{"a secret for everybody", Config{URL: "https://x", SecretFile: public}, "everybody on this host can use the secret in"},
		{"no token", Config{URL: "https://x", TokenFile: "/nonexistent"}, "the token can't be read: open /nonexistent"},
		{"an empty secret", Config{URL: "https://x", SecretFile: secretFile(t, "\n", 0o600)}, "is empty"},
		{"a large secret", Config{URL: "https://x", SecretFile: secretFile(t, strings.Repeat("x", 5000), 0o600)}, "more than 4096 bytes"},
		{"a secret that waits for ever", Config{URL: "https://x", SecretFile: pipe}, "not an ordinary file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.Name = "h"
			found := Check([]Config{test.cfg})
			switch {
			case test.want == "" && len(found) > 0:
				t.Errorf("%+v", found)
			case test.want != "" && (len(found) != 1 || found[0].Hook != "h" || !strings.Contains(found[0].Summary, test.want) || !strings.HasPrefix(found[0].Summary, `hook "h": `)):
				t.Errorf("%+v, want %s", found, test.want)
			case strings.Contains(fmt.Sprint(found), "s3cret"):
				t.Errorf("a secret shows: %+v", found)
			}
		})
	}
}
