package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// farewell is how long the end of a stream may take to be written: its reader may be stopped.
const farewell = time.Second

const ndjson = "application/x-ndjson"

// startLines begins an answer that is a stream: out writes a line for each value, flush sends them off. ctx ends when the caller goes away, or with
// stopping; end is to be called.
func startLines(c huma.Context, stopping context.Context) (ctx context.Context, out *json.Encoder, flush func() error, end func()) {
	request, w := humago.Unwrap(c)
	control := http.NewResponseController(w)
	ctx, cancel := context.WithCancel(request.Context())
	hurry := hurryAtTheEnd(c, stopping)
	stop := context.AfterFunc(stopping, cancel)
	w.Header().Set("Content-Type", ndjson)
	w.WriteHeader(http.StatusOK)
	out = json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return ctx, out, control.Flush, func() { hurry(); stop(); cancel() }
}
