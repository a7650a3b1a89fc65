package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/durable"
)

// Phase is how far a handover is.
type Phase string

const (
	None     Phase = ""         // nothing is handed over
	Prepared Phase = "prepared" // the snapshot is on disk, and nothing is changed
	Moving   Phase = "moving"   // steps are being made, or were when the process ended
	Moved    Phase = "moved"    // everything is on the bridge, and waits to be confirmed
	Kept     Phase = "kept"     // confirmed
)

// Armed reports whether a way back is open: what isn't confirmed in time goes back.
func (p Phase) Armed() bool { return p == Prepared || p == Moving || p == Moved }

// State is what is on disk about a handover. It is of one boot and one network namespace: nothing of it outlives those in the kernel either.
type State struct {
	Version  int           `json:"version"`
	Boot     string        `json:"boot"`
	Netns    uint64        `json:"netns"`
	Phase    Phase         `json:"phase"`
	Config   Config        `json:"config"`
	Token    string        `json:"token,omitempty"`
	Within   time.Duration `json:"within,omitempty"`
	Deadline int64         `json:"deadline,omitempty"`  // seconds since boot: goes back then
	Forced   bool          `json:"forced,omitempty"`    // problems were overruled
	Gateways []string      `json:"gateways,omitempty"`  // that answered before
	Before   []string      `json:"before,omitempty"`    // the TCP connections that there were
	Notes    []string      `json:"notes,omitempty"`     // what a person should know
	ClientID []byte        `json:"client_id,omitempty"` // by which a DHCP server knew the uplink; none: by its MAC address
	Snapshot snapshot      `json:"snapshot"`
}

// Address is the first IPv4 address that the bridge has taken over, or the one that it has leased; invalid for none.
func (h *Host) Address(s State) netip.Prefix {
	if s.Leases() {
		return h.leasedNow(s)
	}
	for _, a := range s.Snapshot.wantAddresses(s.Config) {
		if a.is4() {
			return a.prefix()
		}
	}
	return netip.Prefix{}
}

// Left is the time until it goes back.
func (s State) Left() time.Duration {
	return time.Duration(max(0, s.Deadline-sinceBoot())) * time.Second
}

// Outcome is how the last handover ended that wasn't kept, or that was taken down.
type Outcome struct {
	Config      Config    `json:"config"`
	At          time.Time `json:"at"`
	Reason      string    `json:"reason"`
	Failure     string    `json:"failure,omitempty"`     // of a step back
	Differences []string  `json:"differences,omitempty"` // from what was; none: the host is what it was
}

// confirmation is what was confirmed, for the next starts.
type confirmation struct {
	Config Config `json:"config"`
	Forced bool   `json:"forced,omitempty"`
}

const (
	stateVersion = 1
	stateFile    = "handover.json"
	confirmFile  = "confirmed.json"
	outcomeFile  = "outcome.json"
	lockFile     = "lock"
	armedFile    = "armed"
)

func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading the boot id: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// readOwn reads a file of the state. It follows no link, so that nothing that only root may read gets out.
func readOwn(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(f)
}

// load reads a file of the directory into v; ok is false if there is none.
func (h *Host) load(file string, v any) (ok bool, err error) {
	path := filepath.Join(h.dir, file)
	data, err := readOwn(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", path, err)
	}
	return true, nil
}

// save puts a file in its place at once, so that it survives a power cut from here on.
func (h *Host) save(file string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", file, err)
	}
	if err := durable.Replace(filepath.Join(h.dir, file), append(data, '\n'), 0o700); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Join(h.dir, file), err)
	}
	return nil
}

func (h *Host) remove(file string) error {
	err := os.Remove(filepath.Join(h.dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return durable.SyncDir(h.dir)
}

// State reads how far the handover is. What an earlier boot or another namespace left behind counts as nothing.
func (h *Host) State() (State, error) {
	var s State
	ok, err := h.load(stateFile, &s)
	if err != nil {
		return State{}, err
	}
	if !ok || s.Boot != h.boot || s.Netns != h.netns {
		return State{}, nil
	}
	if s.Version != stateVersion {
		return State{}, fmt.Errorf("%s has version %d, this labnet knows %d: use the labnet that wrote it", filepath.Join(h.dir, stateFile), s.Version, stateVersion)
	}
	return s, nil
}

// Confirmed reports whether the essence of cfg was confirmed once, here or before the last boot, and whether problems were overruled then.
func (h *Host) Confirmed(cfg Config) (confirmed, forced bool, err error) {
	var c confirmation
	ok, err := h.load(confirmFile, &c)
	cfg.Network, c.Config.Network = "", "" // a name is no essence
	return ok && c.Config == cfg, c.Forced, err
}

// Outcome is how the last handover went back; ok is false if none did.
func (h *Host) Outcome() (out Outcome, ok bool, err error) {
	ok, err = h.load(outcomeFile, &out)
	return out, ok, err
}

// lockPatience is how long another process may hold a handover: a move takes as long as verifying it. A way back waits no longer than
// that either, and goes then all the same.
const lockPatience = verifyFor + 5*time.Second

var errLocked = errors.New("another process is at work on the handover")

// lock keeps other processes out until unlock is called, or the process ends.
func (h *Host) lock(file string, patience time.Duration) (unlock func(), err error) {
	if err := durable.MakeDir(h.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the handover's state: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(h.dir, file), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	durable.Entrust(f)
	deadline := time.Now().Add(patience)
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(errLocked, f.Close())
		}
		time.Sleep(20 * time.Millisecond)
	}
}
