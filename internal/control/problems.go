package control

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// problemPrefix is before the word of a problem's type. The types are names, not addresses: they are stable, and the words beside them aren't.
const problemPrefix = "urn:labnet:problem:"

// problemTypes is the kinds of problems (RFC 9457), by the status that each has.
var problemTypes = map[int]string{
	http.StatusBadRequest:            "bad-request",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "not-found",
	http.StatusMethodNotAllowed:      "method-not-allowed",
	http.StatusNotAcceptable:         "not-acceptable",
	http.StatusRequestTimeout:        "request-timeout",
	http.StatusConflict:              "conflict",
	http.StatusRequestEntityTooLarge: "too-large",
	http.StatusUnsupportedMediaType:  "unsupported-media-type",
	http.StatusUnprocessableEntity:   "invalid",
	http.StatusInternalServerError:   "internal",
	http.StatusServiceUnavailable:    "stopping",
}

// withType gives problems their type, whoever made them.
func withType(_ huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*huma.ErrorModel); ok {
		if word, ok := problemTypes[p.Status]; ok {
			p.Type = problemPrefix + word
		}
	}
	return v, nil
}

// writeProblem answers with a problem where no operation of the API does.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	p := &huma.ErrorModel{Type: problemPrefix + problemTypes[status], Title: http.StatusText(status), Status: status, Detail: detail}
	w.Header().Set("Content-Type", p.ContentType("application/json"))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p) // who went away needs no answer
}

// elsewhere answers with a problem where there is no route of mux, or none for the method.
func elsewhere(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusal, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		said := &statusOnly{header: http.Header{}, status: http.StatusNotFound}
		refusal.ServeHTTP(said, r)
		if allow := said.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		if said.status == http.StatusMethodNotAllowed {
			writeProblem(w, said.status, r.Method+" isn't for "+r.URL.Path)
			return
		}
		writeProblem(w, http.StatusNotFound, "there is nothing at "+r.URL.Path+"; /openapi.json says what there is")
	})
}

// statusOnly keeps the status and the header of an answer.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }

// problem is err for the client. The status says of what kind it is, so the words need not.
func problem(err error) error {
	detail := func(kind error) string { return strings.TrimPrefix(err.Error(), kind.Error()+": ") }
	switch {
	case errors.Is(err, ErrNotFound):
		return huma.Error404NotFound(detail(ErrNotFound))
	case errors.Is(err, ErrInvalid):
		return huma.Error422UnprocessableEntity(detail(ErrInvalid))
	case errors.Is(err, ErrForbidden):
		return huma.Error403Forbidden(detail(ErrForbidden))
	case errors.Is(err, ErrConflict):
		return huma.Error409Conflict(detail(ErrConflict))
	default:
		return huma.Error500InternalServerError(err.Error())
	}
}
