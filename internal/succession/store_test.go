package succession

import (
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// manager hears what a service manager is told, until the test ends. A descriptor that comes along is closed at once, as systemd closes that of a
// barrier.
func manager(t *testing.T) (path string, heard <-chan string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		text, control := make([]byte, 1024), make([]byte, 4096)
		for {
			n, rights, _, _, err := conn.ReadMsgUnix(text, control)
			if err != nil {
				return
			}
			count := 0
			messages, _ := unix.ParseSocketControlMessage(control[:rights])
			for _, m := range messages {
				fds, _ := unix.ParseUnixRights(&m)
				for _, fd := range fds {
					count++
					_ = unix.Close(fd)
				}
			}
			said <- fmt.Sprintf("%q %d", text[:n], count)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return path, said
}

func TestWhatSystemdIsTold(t *testing.T) {
	path, heard := manager(t)
	t.Setenv("NOTIFY_SOCKET", path)
	e := Receive(slog.New(slog.DiscardHandler))
	if !e.Stored() {
		t.Fatal("there is no store")
	}
	fd, _ := udpAt(t, "127.0.0.1")
	if err := e.Keep("dns_x", fd, fd); err != nil {
		t.Fatal(err)
	}
	if err := e.KeepHere("instance", fd); err != nil {
		t.Fatal(err)
	}
	e.Drop("dns_x")
	e.Abandon()
	for _, want := range []string{
		`"FDSTORE=1\nFDPOLL=0\nFDNAME=dns_x" 2`, `"FDSTOREREMOVE=1\nFDNAME=dns_x" 0`, `"BARRIER=1" 1`,
	} {
		if got := <-heard; got != want {
			t.Errorf("systemd is told %s, not %s", got, want)
		}
	}
	if len(heard) > 0 {
		t.Errorf("and %s", <-heard)
	}
}

// What is stored by a name that nothing has any more goes; what shares its name with something in use stays.
func TestSettlingTheStore(t *testing.T) {
	path, heard := manager(t)
	fd, _ := udpAt(t, "127.0.0.1")
	stale, _ := udpAt(t, "127.0.0.2")
	before := empty(t)
	for name, one := range map[string]int{"used": fd, "gone": stale} {
		if err := before.Keep(name, one); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("NOTIFY_SOCKET", path)
	e := left(t, before)
	if err := e.Keep("used", fd); err != nil {
		t.Fatal(err)
	}
	e.Take(func(s Socket) bool { return s.Name == "used" })
	e.Settle()
	var all []string
	for len(heard) > 0 || len(all) < 3 {
		all = append(all, <-heard)
	}
	want := []string{`"FDSTORE=1\nFDPOLL=0\nFDNAME=used" 1`, `"FDSTOREREMOVE=1\nFDNAME=gone" 0`, `"BARRIER=1" 1`}
	if !slices.Equal(all, want) {
		t.Errorf("systemd is told %s", all)
	}
}

// A manager that is gone costs a warning, and nothing waits for it.
func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	e := Receive(slog.New(slog.DiscardHandler))
	fd, _ := udpAt(t, "127.0.0.1")
	if err := e.Keep("x", fd); err != nil {
		t.Fatal(err)
	}
	e.Drop("x")
}
