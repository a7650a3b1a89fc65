package control

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// access is who may do what over the socket: root and admins change things, members of the socket's group look, and make TAPs for themselves,
// everybody else does nothing.
type access struct {
	own     uint32        // the daemon's user, who may look
	readers atomic.Uint32 // the group whose members may look: the socket's
	admins  atomic.Pointer[[]uint32]

	mu      sync.Mutex           // guards what follows, and the permissions of the socket file
	written []uint32             // the groups that it lets in beside its own
	asking  map[*asking]struct{} // what is being answered
}

// foreign is what the kernel calls a group, or a user, of another user namespace that has no number here: nobody's number means anybody.
const foreign = 65534

// asking is a request that is being answered.
type asking struct {
	by   peer
	stop context.CancelFunc
}

func newAccess() *access {
	a := &access{own: uint32(os.Geteuid()), asking: map[*asking]struct{}{}}
	a.admins.Store(&[]uint32{})
	a.readers.Store(foreign)
	return a
}

func (p peer) in(gid uint32) bool { return gid != foreign && slices.Contains(p.groups, gid) }

func (a *access) mayChange(p peer) bool {
	return p.uid == 0 || slices.ContainsFunc(*a.admins.Load(), p.in)
}

func (a *access) mayLook(p peer) bool {
	return a.mayChange(p) || p.uid == a.own || p.in(a.readers.Load())
}

// nothing is what those hear who may do nothing.
const nothing = "you may not speak to this daemon: become a member of the group " + SocketGroup + ", or use sudo"

// onlyThose lets nobody through who may not even look, and ends what is being answered to those who may no longer.
func onlyThose(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := r.Context().Value(peerKey{}).(peer)
		if !ok {
			writeProblem(w, http.StatusForbidden, nothing)
			return
		}
		ctx, stop := context.WithCancel(r.Context())
		defer stop()
		// Remembered first: whose right ends now either isn't let in here, or is stopped there.
		defer p.access.begin(&asking{p, stop})()
		if !p.access.mayLook(p) {
			writeProblem(w, http.StatusForbidden, nothing)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// begin remembers a request until end is called.
func (a *access) begin(r *asking) (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking[r] = struct{}{}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.asking, r)
	}
}

// Admit makes the members of these groups, and of no others, those who may change things beside root; it holds at once, also for
// whoever is connected. The error says that the socket's file can't be opened to them: then those of them who may look have the right all the same.
func (s *Server) Admit(groups []uint32) error {
	a := s.access
	a.mu.Lock()
	defer a.mu.Unlock()
	a.admins.Store(&groups)
	for r := range a.asking {
		if !a.mayLook(r.by) {
			r.stop()
		}
	}
	if slices.Equal(groups, a.written) {
		return nil
	}
	if err := openTo(s.path, groups); err != nil {
		return fmt.Errorf("opening the control socket to the groups of api.admins: %w; add their members to the group %s too", err, SocketGroup)
	}
	a.written = slices.Clone(groups)
	return nil
}

// groupOf is the group of a file.
func groupOf(path string) (uint32, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return foreign, err
	}
	return info.Sys().(*syscall.Stat_t).Gid, nil
}
