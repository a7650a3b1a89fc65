package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// ErrNotRunning says that no daemon answers on the socket.
var ErrNotRunning = errors.New("no labnet daemon answers")

// Client asks a daemon over its socket. It may be used by several goroutines.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a client for the socket at path; it connects when it asks.
func NewClient(path string) *Client {
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
		},
	}}}
}

// Status asks how the daemon is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var status Status
	return status, c.do(ctx, http.MethodGet, "/v1/status", &status)
}

// Down lets the daemon remove the network and end; it returns what was removed.
func (c *Client) Down(ctx context.Context) ([]Change, error) {
	var changes []Change
	return changes, c.do(ctx, http.MethodPost, "/v1/down", &changes)
}

// do asks, and decodes the answer into out or the problem into an error.
func (c *Client) do(ctx context.Context, method, path string, out any) error {
	return c.exchange(ctx, method, path, nil, out)
}

// send is do with a body.
func (c *Client) send(ctx context.Context, method, path string, in, out any) error {
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.exchange(ctx, method, path, bytes.NewReader(text), out)
}

func (c *Client) exchange(ctx context.Context, method, path string, in io.Reader, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://labnet"+path, in)
	if err != nil {
		return err
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= 400 {
		return problemOf(response)
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	return nil
}

// unreachable says why the daemon can't be asked, and what to do about it.
func (c *Client) unreachable(err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w at %s; start it with `labnet run`, or name its socket with --socket", ErrNotRunning, c.path)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the one at %s ended while it was asked", ErrNotRunning, c.path)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("may not open %s: become a member of the group %s, or use sudo", c.path, SocketGroup)
	default:
		return fmt.Errorf("asking the daemon at %s: %w", c.path, err)
	}
}

// detailed is an error of a known kind in the daemon's own words.
type detailed struct {
	kind error
	text string
}

func (d detailed) Error() string { return d.text }
func (d detailed) Unwrap() error { return d.kind }

// problemOf turns problem details (RFC 9457) into an error.
func problemOf(response *http.Response) error {
	var details struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"` // of a request that isn't of the API, such as one of another version
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err := json.Unmarshal(text, &details); err != nil || details.Detail == "" {
		return fmt.Errorf("the daemon answers %s: %s", response.Status, text)
	}
	for _, e := range details.Errors {
		details.Detail += "; " + strings.TrimPrefix(e.Location+": "+e.Message, ": ")
	}
	switch response.StatusCode {
	case http.StatusNotFound:
		return detailed{ErrNotFound, details.Detail}
	case http.StatusConflict:
		return detailed{ErrConflict, details.Detail}
	case http.StatusServiceUnavailable:
		return detailed{ErrNotRunning, details.Detail}
	}
	return errors.New(details.Detail)
}
