package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ErrEnded says that a stream ended by the daemon's doing.
var ErrEnded = errors.New("the trace ended")

// EventStream is the client's end of a trace. Next and Close are one goroutine's.
type EventStream[E any] struct {
	body io.ReadCloser
	in   *json.Decoder
	stop context.CancelFunc
	path string
	// decode reads a line: an event, or the count of lost ones, or the end.
	decode func(*json.Decoder) (event *E, lost uint64, end string, err error)
}

// TraceStream is the client's end of a trace of DHCP messages.
type TraceStream = EventStream[TraceEvent]

// TraceDHCP starts a trace: what happens after its return is seen. ctx ends it, or Close.
func (c *Client) TraceDHCP(ctx context.Context, f TraceFilter) (*TraceStream, error) {
	query := url.Values{}
	for key, value := range map[string]string{"mac": string(f.MAC), "network": f.Network, "reason": f.Reason} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if f.Address.IsValid() {
		query.Set("address", f.Address.String())
	}
	return openStream(ctx, c, "/v1/trace/dhcp?"+query.Encode(), func(in *json.Decoder) (*TraceEvent, uint64, string, error) {
		var line traceLine
		err := in.Decode(&line)
		return line.TraceEvent, line.Lost, line.End, err
	})
}

func openStream[E any](ctx context.Context, c *Client, path string, decode func(*json.Decoder) (*E, uint64, string, error)) (*EventStream[E], error) {
	ctx, stop := context.WithCancel(ctx)
	response, err := c.get(ctx, path)
	if err != nil {
		stop()
		return nil, err
	}
	return &EventStream[E]{body: response.Body, in: json.NewDecoder(response.Body), stop: stop, path: c.path, decode: decode}, nil
}

// get asks for what is read bit by bit.
func (c *Client) get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://labnet"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if response.StatusCode >= 400 {
		defer func() { _ = response.Body.Close() }()
		return nil, problemOf(response)
	}
	return response, nil
}

// Next waits for the next event, or returns how many are lost at this place: then lost is not 0 and there is no event. The error
// is ErrEnded with the daemon's word, or that of the context that the trace was started with.
func (s *EventStream[E]) Next() (event E, lost uint64, err error) {
	next, lost, end, err := s.decode(s.in)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return event, 0, fmt.Errorf("%w: the daemon at %s is gone", ErrEnded, s.path)
	case err != nil:
		return event, 0, fmt.Errorf("reading the trace: %w", err)
	case end != "":
		return event, 0, fmt.Errorf("%w: %s", ErrEnded, end)
	case lost > 0:
		return event, lost, nil
	case next == nil:
		return event, 0, errors.New("reading the trace: a line without an event")
	}
	return *next, 0, nil
}

// Close ends the trace.
func (s *EventStream[E]) Close() {
	s.stop()
	_ = s.body.Close()
}
