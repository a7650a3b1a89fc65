package handover

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"labnet/internal/nettest"
)

// The state belongs to the service's user: whoever has taken the service over must not get root's files by it, whatever root runs.
func TestTheStateLeadsNowhere(t *testing.T) {
	nettest.NeedRoot(t)
	const service = 12345
	for _, tt := range []struct {
		name  string
		plant func(t *testing.T, dir, target string)
	}{
		{"a link in place of the lock", func(t *testing.T, dir, target string) {
			must(t, os.Mkdir(dir, 0o700), os.Symlink(target, filepath.Join(dir, lockFile)))
		}},
		{"another name of a file as the lock", func(t *testing.T, dir, target string) {
			must(t, os.Mkdir(dir, 0o700), os.Link(target, filepath.Join(dir, lockFile)))
		}},
		{"a link in place of the directory", func(t *testing.T, dir, target string) {
			must(t, os.Symlink(filepath.Dir(target), dir))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			state, others := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "etc")
			target := filepath.Join(others, "shadow")
			must(t, os.Mkdir(state, 0o750), os.Mkdir(others, 0o755), os.WriteFile(target, []byte("secret"), 0o600))
			dir := filepath.Join(state, "handover")
			tt.plant(t, dir, target)
			must(t, os.Chown(state, service, service))
			if unlock, err := (&Host{dir: dir}).lock(lockFile, 0); err == nil {
				unlock()
			}
			for _, path := range []string{others, target} {
				info, err := os.Stat(path)
				must(t, err)
				if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 {
					t.Errorf("%s belongs to user %d now", path, uid)
				}
			}
		})
	}
	t.Run("a link in place of a file that is read", func(t *testing.T) {
		dir := t.TempDir()
		target := filepath.Join(dir, "shadow")
		must(t, os.WriteFile(target, []byte("secret"), 0o600), os.Symlink(target, filepath.Join(dir, formerResolvConf)))
		if text, err := readOwn(filepath.Join(dir, formerResolvConf)); err == nil {
			t.Errorf("it has %q", text)
		}
	})
}

func TestSettingsAreOfLinks(t *testing.T) {
	for _, key := range []string{"ipv4/../../../../../etc/passwd", "../etc/x", "ipv4/..", "ipv4/", "ipv6", "core/rmem_max", "ipv4/a/b", "ipv4/a\x00"} {
		if path, err := settingPath("eth0", key); err == nil {
			t.Errorf("the key %q leads to %s", key, path)
		}
	}
	for _, link := range []string{"", ".", "..", "../..", "a/b"} {
		if path, err := settingPath(link, acceptDAD); err == nil {
			t.Errorf("the link %q leads to %s", link, path)
		}
	}
	if path, err := settingPath("eth0.5", acceptDAD); err != nil || path != "/proc/sys/net/ipv6/conf/eth0.5/accept_dad" {
		t.Errorf("%s, %v", path, err)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
