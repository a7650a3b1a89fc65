package control

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// person is the credentials of somebody's process.
type person struct {
	uid, gid int
	groups   []int
}

// as runs f on a thread of its own with somebody's credentials.
func as(t *testing.T, p person, f func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		nettest.Skip(t, "this test needs root, to be somebody else")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its credentials
		groups := make([]uint32, len(p.groups)+1)
		for i, g := range p.groups {
			groups[i] = uint32(g)
		}
		done <- func() error {
			// These system calls are the thread's own, unlike those of package syscall.
			if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(p.groups)), uintptr(unsafe.Pointer(&groups[0])), 0); errno != 0 {
				return fmt.Errorf("setgroups: %w", errno)
			}
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(p.gid), uintptr(p.gid), uintptr(p.gid)); errno != 0 {
				return fmt.Errorf("setresgid: %w", errno)
			}
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(p.uid), uintptr(p.uid), uintptr(p.uid)); errno != 0 {
				return fmt.Errorf("setresuid: %w", errno)
			}
			return f()
		}()
	}()
	return <-done
}

// connect is a connection that somebody has made to the socket.
func connect(t *testing.T, p person, path string) (net.Conn, error) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	if err := as(t, p, func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: path}) }); err != nil {
		return nil, err
	}
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, nil
}

// asks is the status of the answer to a request.
func asks(t *testing.T, conn net.Conn, method, route string) int {
	t.Helper()
	request, err := http.NewRequest(method, "http://labnet"+route, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := request.Write(conn); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

// TestWhoMayDoWhat: with real credentials, also while connections stand.
func TestWhoMayDoWhat(t *testing.T) {
	const readers, admins, others = 70001, 70002, 70003
	many := make([]int, 300)
	for i := range many {
		many[i] = 80000 + i
	}
	people := map[string]person{
		"root":                    {0, 0, nil},
		"a reader":                {70100, others, []int{readers}},
		"a reader by main group":  {70101, readers, nil},
		"an admin":                {70102, others, []int{admins}},
		"an admin by main group":  {70103, admins, nil},
		"an admin of many groups": {70104, others, append([]int{admins}, many...)},
		"both":                    {70105, readers, []int{admins}},
		"a stranger":              {70106, others, many},
		"nobody":                  {65534, 65534, []int{65534}},
	}
	type may struct{ connect, look, change bool }
	const all = true
	for _, test := range []struct {
		name   string
		groups []uint32
		want   map[string]may
	}{
		{"without admins", nil, map[string]may{
			"root": {all, all, all}, "a reader": {true, true, false}, "a reader by main group": {true, true, false}, "both": {true, true, false},
			"an admin": {}, "an admin by main group": {}, "an admin of many groups": {}, "a stranger": {}, "nobody": {},
		}},
		{"with admins", []uint32{admins}, map[string]may{
			"root": {all, all, all}, "a reader": {true, true, false}, "a reader by main group": {true, true, false}, "both": {all, all, all},
			"an admin": {all, all, all}, "an admin by main group": {all, all, all}, "an admin of many groups": {all, all, all}, "a stranger": {}, "nobody": {},
		}},
		{"the group of nobody", []uint32{foreign}, map[string]may{
			"root": {all, all, all}, "a reader": {true, true, false}, "nobody": {connect: true},
		}},
		{"without them again", nil, map[string]may{"root": {all, all, all}, "both": {true, true, false}, "an admin": {}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, server := serveFor(t, readers)
			if err := server.Admit(test.groups); err != nil {
				t.Fatal(err)
			}
			for name, want := range test.want {
				conn, err := connect(t, people[name], path)
				if errors.Is(err, unix.EACCES) {
					if want.connect {
						t.Errorf("%s can't connect", name)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got := may{true, asks(t, conn, http.MethodGet, "/v1/status") == http.StatusOK, false}
				switch code := asks(t, conn, http.MethodPost, "/v1/down"); code {
				case http.StatusOK:
					got.change = true
				case http.StatusForbidden:
				default:
					t.Errorf("%s: down answers %d", name, code)
				}
				if got != want {
					t.Errorf("%s: may %+v, want %+v", name, got, want)
				}
			}
		})
	}
}

// serveFor is a server whose socket belongs to a group, in a directory that everybody can reach.
func serveFor(t *testing.T, group int) (path string, server *Server) {
	t.Helper()
	dir, err := os.MkdirTemp("", "labnet-access-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "labnet.sock")
	reels := make(chan watchReel, 1)
	reels <- watchReel{}
	serveAt(t, path, &table{reels: reels}, func(s *Server) {
		server = s
		if os.Geteuid() == 0 {
			if err := os.Chown(path, -1, group); err != nil {
				t.Fatal(err)
			}
			s.access.readers.Store(uint32(group))
		}
	})
	return path, server
}

// TestAChangeOfAdminsHoldsAtOnce: for connections that stand.
func TestAChangeOfAdminsHoldsAtOnce(t *testing.T) {
	const readers, admins = 70001, 70002
	path, server := serveFor(t, readers)
	if err := server.Admit([]uint32{admins}); err != nil {
		t.Fatal(err)
	}
	conn, err := connect(t, person{70102, 70003, []int{admins}}, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		groups       []uint32
		look, change int
	}{
		{[]uint32{admins}, http.StatusOK, http.StatusOK},
		{nil, http.StatusForbidden, http.StatusForbidden},
		{[]uint32{1, admins, 7}, http.StatusOK, http.StatusOK},
		{[]uint32{readers}, http.StatusForbidden, http.StatusForbidden},
	} {
		if err := server.Admit(step.groups); err != nil {
			t.Fatal(err)
		}
		if got := asks(t, conn, http.MethodGet, "/v1/status"); got != step.look {
			t.Errorf("admins %v: status answers %d, want %d", step.groups, got, step.look)
		}
		if got := asks(t, conn, http.MethodPost, "/v1/down"); got != step.change {
			t.Errorf("admins %v: down answers %d, want %d", step.groups, got, step.change)
		}
	}
	// A stream ends with the right to read it.
	stream, err := connect(t, person{70104, 70003, []int{readers}}, path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(stream, "GET /v1/leases/watch HTTP/1.1\r\nHost: labnet\r\n\r\n")
	lines := bufio.NewReader(stream)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("the stream begins with %q, %v", line, err)
	}
	server.access.readers.Store(foreign)
	if err := server.Admit(nil); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream doesn't end as it should: %v", err)
		}
		if line == "0\r\n" {
			break // the last chunk
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket's mode is %v, %v", info.Mode(), err)
	}
}
