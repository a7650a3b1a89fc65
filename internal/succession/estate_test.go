package succession

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// left gives a new estate what another one keeps, as exec does.
func left(t *testing.T, e *Estate) *Estate {
	t.Helper()
	_, text, _ := strings.Cut(e.environment(), "=")
	t.Setenv(variable, text)
	return Receive(slog.New(slog.DiscardHandler))
}

func empty(t *testing.T) *Estate {
	t.Helper()
	t.Setenv("NOTIFY_SOCKET", "")
	return Receive(slog.New(slog.DiscardHandler))
}

func udpAt(t *testing.T, at string) (fd int, local netip.AddrPort) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(at).As4()}); err != nil {
		t.Fatal(err)
	}
	s, ok := Look(fd)
	if !ok {
		t.Fatal("a socket isn't one")
	}
	return fd, s.Local
}

// What is queued in a socket is there for who takes it, and what isn't taken is closed.
func TestWhatIsKeptPassesOn(t *testing.T) {
	first := empty(t)
	fd, at := udpAt(t, "127.0.0.1")
	other, _ := udpAt(t, "127.0.0.2")
	if err := first.Keep("one", fd); err != nil {
		t.Fatal(err)
	}
	if err := first.Keep("two", other); err != nil {
		t.Fatal(err)
	}
	if err := first.KeepText("will", []byte("everything")); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp4", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("queued")); err != nil {
		t.Fatal(err)
	}

	second := left(t, first)
	if os.Getenv(variable) != "" {
		t.Error("programs that are started believe to have the descriptors")
	}
	var names []string
	taken := second.Take(func(s Socket) bool {
		names = append(names, s.Name)
		return s.Family == unix.AF_INET && s.Kind == unix.SOCK_DGRAM && s.Local == at
	})
	if len(taken) != 1 || !slices.Equal(names, []string{"one", "two"}) {
		t.Fatalf("taken %v of %v", taken, names)
	}
	if flags, err := unix.FcntlInt(uintptr(taken[0]), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("programs that are started inherit it: %#x, %v", flags, err)
	}
	buffer := make([]byte, 16)
	if n, _, err := unix.Recvfrom(taken[0], buffer, unix.MSG_DONTWAIT); err != nil || string(buffer[:n]) != "queued" {
		t.Errorf("queued is %q, %v", buffer[:max(n, 0)], err)
	}
	if text, ok := second.TakeText("will"); !ok || string(text) != "everything" {
		t.Errorf("the will says %q, %v", text, ok)
	}
	if _, ok := second.TakeText("will"); ok {
		t.Error("there are two wills")
	}
	if second.Left() != 1 {
		t.Errorf("%d are left", second.Left())
	}
	second.Settle()
	if second.Left() != 0 {
		t.Error("something is left")
	}
}

func TestWhatIsThereIsntBelieved(t *testing.T) {
	for _, tc := range []struct{ name, variable, listen string }{
		{"closed", "one=999", ""},
		{"standard error", "one=2", ""},
		{"no number", "one=x two three=", ""},
		{"another process's", "", "1"},
		{"too many", "", fmt.Sprint(os.Getpid())},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("NOTIFY_SOCKET", "")
			t.Setenv(variable, tc.variable)
			t.Setenv("LISTEN_PID", tc.listen)
			t.Setenv("LISTEN_FDS", "-5")
			if e := Receive(slog.New(slog.DiscardHandler)); e.Left() != 0 {
				t.Errorf("%d descriptors are believed", e.Left())
			}
		})
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if s, ok := Look(int(file.Fd())); ok {
		t.Errorf("a file is taken for %+v", s)
	}
}

func TestDropClosesUnlessSealed(t *testing.T) {
	e := empty(t)
	free := func(at netip.AddrPort) bool {
		conn, err := net.ListenPacket("udp4", at.String())
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}
	fd, at := udpAt(t, "127.0.0.1")
	if err := e.Keep("one", fd); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	e.Seal(true)
	e.Drop("one")
	if free(at) {
		t.Error("what is sealed was dropped")
	}
	e.Seal(false)
	e.Drop("another")
	if free(at) {
		t.Error("something else was dropped")
	}
	e.Drop("one")
	if !free(at) {
		t.Error("the address isn't free")
	}
}

// A failing exec leaves everything as it was.
func TestExecThatFails(t *testing.T) {
	e := empty(t)
	fd, _ := udpAt(t, "127.0.0.1")
	if err := e.Keep("one", fd); err != nil {
		t.Fatal(err)
	}
	if err := e.Exec(filepath.Join(t.TempDir(), "none"), []string{"none"}, nil); err == nil {
		t.Fatal("no error")
	}
	for _, h := range e.kept {
		if flags, err := unix.FcntlInt(uintptr(h.fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("programs inherit %s: %#x, %v", h.name, flags, err)
		}
	}
}

func TestNoEstate(t *testing.T) {
	var e *Estate
	if err := e.Keep("x", 0); err != nil {
		t.Error(err)
	}
	e.Drop("x")
	e.Forget("x")
	e.Seal(true)
	e.Settle()
	e.Abandon()
	if e.Take(func(Socket) bool { return true }) != nil || e.Left() != 0 || e.Stored() || e.TakeFile("x") != nil {
		t.Error("there is something")
	}
}

func TestEnvironmentOfOthers(t *testing.T) {
	got := withoutOurs([]string{"A=1", "LISTEN_FDS=3", variable + "=x=4", "LISTEN_FDNAMES=a:b", "B=2", "LISTEN_PID=1"})
	if diff := cmp.Diff([]string{"A=1", "B=2"}, got); diff != "" {
		t.Error(diff)
	}
}
