package control

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// How long a daemon that is gone is waited for between two tries.
const (
	returnSoon  = 20 * time.Millisecond
	returnLater = time.Second
)

// WatchLeases gives what happens to leases, from a resync on that lists them. It outlives the daemon: when that is gone it says so by one
// event, and goes on when there is one again, with all that has happened or with a resync. The error ends it: the context's, or why the
// daemon couldn't be asked in the beginning.
func (c *Client) WatchLeases(ctx context.Context, w LeaseWatch) iter.Seq2[LeaseEvent, error] {
	return func(yield func(LeaseEvent, error) bool) {
		wait, reached := returnSoon, false
		for {
			err := c.watchOnce(ctx, &w, func() { wait, reached = returnSoon, true }, func(e LeaseEvent) bool { return yield(e, nil) })
			switch {
			case errors.Is(err, errEnough):
				return
			case ctx.Err() != nil:
				yield(LeaseEvent{}, ctx.Err())
				return
			case !reached:
				yield(LeaseEvent{}, err)
				return
			}
			if wait == returnSoon && !yield(LeaseEvent{Event: EventGone, Time: time.Now().UTC()}, nil) {
				return
			}
			if wait < returnLater {
				wait = min(2*wait, returnLater)
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}
}

// errEnough says that the caller wants no more.
var errEnough = errors.New("enough")

// watchOnce gives the events of one connection, and notes in w how far it came. reached is called when the daemon has answered.
func (c *Client) watchOnce(ctx context.Context, w *LeaseWatch, reached func(), emit func(LeaseEvent) bool) error {
	query := url.Values{}
	for key, value := range map[string]string{"network": w.Network, "filter": w.Filter.String(), "instance": w.Instance} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if w.Instance != "" {
		query.Set("after", strconv.FormatUint(w.After, 10))
	}
	response, err := c.get(ctx, "/v1/leases/watch?"+query.Encode())
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	reached()
	in := json.NewDecoder(response.Body)
	listing := false
	for {
		var e LeaseEvent
		if err := in.Decode(&e); err != nil {
			if listing {
				w.Instance = "" // half a list is none
			}
			return c.unreachable(err)
		}
		switch {
		case e.Event == EventResync:
			w.Instance, w.After, listing = e.Instance, e.Seq, true
		case e.Event == EventSynced:
			listing = false
		}
		if e.Seq != 0 {
			w.After = e.Seq
		}
		if !emit(e) {
			return errEnough
		}
	}
}
