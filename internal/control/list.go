package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// listResponse describes a list of T in OpenAPI.
func listResponse[T any](api huma.API, what string) map[string]*huma.Response {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[[]T](), true, what)
	return map[string]*huma.Response{"200": {
		Description: what, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}}
}

// streamList answers with a list as it comes: no more of it is in memory than a few of its entries. It is cut off soon after stopping has
// ended.
func streamList[T any](all iter.Seq[T], stopping context.Context) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer hurryAtTheEnd(c, stopping)()
		c.SetHeader("Content-Type", "application/json")
		// A caller who goes away ends it: there is nobody to be told.
		_ = writeList(c.BodyWriter(), all)
	}}
}

// writeFallibleList is writeList for a list that may end in an error, which it returns: then the list has no end. That the caller went away is
// none.
func writeFallibleList[T any](w io.Writer, all iter.Seq2[T, error]) (failed error) {
	out := &cutOff{to: w}
	_ = writeList(out, func(yield func(T) bool) {
		for v, err := range all {
			if err != nil {
				failed, out.ended = err, true
				return
			}
			if !yield(v) {
				return
			}
		}
	})
	return failed
}

// cutOff takes nothing any more once it has ended.
type cutOff struct {
	to    io.Writer
	ended bool
}

func (c *cutOff) Write(p []byte) (int, error) {
	if c.ended {
		return 0, io.ErrClosedPipe
	}
	return c.to.Write(p)
}

// hurryAtTheEnd lets an answer fail soon after stopping has ended: a reader that is stopped, such as a pager, must not hold up the end of the
// daemon. What it returns is to be called at the end of the answer.
func hurryAtTheEnd(c huma.Context, stopping context.Context) func() bool {
	_, w := humago.Unwrap(c)
	return context.AfterFunc(stopping, func() {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(farewell))
	})
}

func writeList[T any](w io.Writer, all iter.Seq[T]) error {
	out := bufio.NewWriterSize(w, 64<<10)
	encoder := json.NewEncoder(out) // each entry on a line of its own
	encoder.SetEscapeHTML(false)
	separator := "["
	for v := range all {
		if _, err := out.WriteString(separator); err != nil {
			return err
		}
		if err := encoder.Encode(v); err != nil {
			return err
		}
		separator = ","
	}
	if separator == "[" {
		_, _ = out.WriteString(separator) // Flush says what the writer can't write
	}
	_, _ = out.WriteString("]\n")
	return out.Flush()
}

// list asks for a list and gives its entries as they come. The error ends it.
func list[T any](ctx context.Context, c *Client, path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		response, err := c.get(ctx, path)
		if err != nil {
			yield(none, err)
			return
		}
		defer func() { _ = response.Body.Close() }()
		in := json.NewDecoder(response.Body)
		failed := func(err error) {
			if why := response.Trailer.Get(errorTrailer); why != "" {
				yield(none, errors.New(why))
				return
			}
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF // it ended in the middle
			}
			yield(none, c.unreachable(err))
		}
		if _, err := in.Token(); err != nil {
			failed(err)
			return
		}
		for in.More() {
			var v T
			if err := in.Decode(&v); err != nil {
				failed(err)
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		// Without the end of the list something is missing.
		if _, err := in.Token(); err != nil {
			failed(err)
		}
	}
}
