package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"labnet/internal/durable"
)

// keptTAP is a TAP that was made at run time, as it is remembered: like a block of the file, it is made again after a boot.
type keptTAP struct {
	Name       string    `json:"name"`
	Network    string    `json:"network"`
	Owner      string    `json:"owner,omitempty"`
	Group      string    `json:"group,omitempty"`
	MAC        string    `json:"mac"`
	Host       string    `json:"host,omitempty"`
	Pinned     bool      `json:"pinned,omitempty"` // under a strict guard its guest has MAC, and no other
	MultiQueue bool      `json:"multi_queue,omitempty"`
	VnetHdr    bool      `json:"vnet_hdr,omitempty"`
	Maker      uint32    `json:"maker"`         // user id of who asked for it
	Run        bool      `json:"run,omitempty"` // it goes with the program that has it open
	Made       time.Time `json:"made"`
}

// tapFile keeps them, in a file of its own: they are no leases, and rare enough to be written as a whole.
type tapFile struct{ path string }

const tapFileVersion = 1

type tapFileContent struct {
	Version int       `json:"version"`
	TAPs    []keptTAP `json:"taps"`
}

// load reads them; there are none where there is no file.
func (f tapFile) load() ([]keptTAP, error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading which TAPs were made at run time: %w", err)
	}
	var content tapFileContent
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&content)
	if err == nil && content.Version != tapFileVersion {
		err = fmt.Errorf("it has version %d, this labnet knows %d", content.Version, tapFileVersion)
	}
	if err != nil {
		// Without them they would be removed, from under the machines that run on them.
		return nil, fmt.Errorf("%s, which says what TAPs were made at run time, can't be understood: %w; mend it, or remove it: the TAPs then go", f.path, err)
	}
	return content.TAPs, nil
}

// save puts all of them in the place of what was there, so that they survive a power cut from here on.
func (f tapFile) save(taps []keptTAP) error {
	text, err := json.MarshalIndent(tapFileContent{tapFileVersion, taps}, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.Replace(f.path, append(text, '\n'), 0o750); err != nil {
		return fmt.Errorf("remembering which TAPs were made at run time: %w", err)
	}
	return nil
}
