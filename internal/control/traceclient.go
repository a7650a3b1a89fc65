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

// TraceStream is the client's end of a trace. Next and Close are one goroutine's.
type TraceStream struct {
	body io.ReadCloser
	in   *json.Decoder
	stop context.CancelFunc
	path string
}

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
	ctx, stop := context.WithCancel(ctx)
	response, err := c.get(ctx, "/v1/trace/dhcp?"+query.Encode())
	if err != nil {
		stop()
		return nil, err
	}
	return &TraceStream{body: response.Body, in: json.NewDecoder(response.Body), stop: stop, path: c.path}, nil
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
// is ErrEnded with the daemon's word, or the context's of TraceDHCP.
func (s *TraceStream) Next() (event TraceEvent, lost uint64, err error) {
	var line traceLine
	switch err := s.in.Decode(&line); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return event, 0, fmt.Errorf("%w: the daemon at %s is gone", ErrEnded, s.path)
	case err != nil:
		return event, 0, fmt.Errorf("reading the trace: %w", err)
	case line.End != "":
		return event, 0, fmt.Errorf("%w: %s", ErrEnded, line.End)
	case line.Lost > 0:
		return event, line.Lost, nil
	case line.TraceEvent == nil:
		return event, 0, errors.New("reading the trace: a line without an event")
	}
	return *line.TraceEvent, 0, nil
}

// Close ends the trace.
func (s *TraceStream) Close() {
	s.stop()
	_ = s.body.Close()
}
