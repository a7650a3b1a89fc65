package daemon

import (
	"context"
	"errors"
	"time"

	"labnet/leases"
)

// Recovery is what is wrong with a store, what of it can be read, and what was done about it.
type Recovery struct {
	Database     string   `json:"database"`
	Problems     []string `json:"problems"` // none: nothing is wrong
	Leases       int      `json:"leases"`
	Bound        int      `json:"bound"`    // of these, in force when they were written
	FromLog      int      `json:"from_log"` // of these, that the redo log has and the database hasn't, or not as new
	History      int      `json:"history"`
	Reservations int      `json:"reservations"`
	Lost         []string `json:"lost"`                // what can be told of what can't be read
	SetAside     string   `json:"set_aside,omitempty"` // the directory where the old files are since; absent: nothing was changed
}

// Recover says what is wrong with the store and what of it can be read; no daemon may use it. With setAside it makes a new one of that, and moves
// the old files into a directory beside it, if anything is wrong.
func Recover(ctx context.Context, paths Paths, setAside bool) (Recovery, error) {
	r, err := leases.Recover(ctx, paths.leases(), setAside, time.Now())
	err = errors.Join(err, paths.entrust())
	return Recovery{
		Database: paths.leases(), Problems: listOf(r.Problems), Lost: listOf(r.Lost), SetAside: r.Dir,
		Leases: r.Leases, Bound: r.Bound, FromLog: r.FromLog, History: r.History, Reservations: r.Reservations,
	}, err
}

// listOf is texts as a list in JSON, also where there are none.
func listOf(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}
