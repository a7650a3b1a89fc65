package control

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// apiVersion is the version of the API, which its paths begin with. What is added to it leaves it as it is.
const apiVersion = "1"

const apiDescription = "The API of the daemon of labnet, over its Unix socket. Fields may be added; those that are here stay. " +
	"What is no success is a problem (RFC 9457) whose type is one of " + problemPrefix + "…, by its status."

// notes is what the types of an operation don't say.
type notes struct {
	tag      string
	problems []int // besides those that every operation may answer with
	example  any   // of a success
}

// withQuery and withBody are the problems of whatever has parameters or a body.
var (
	withQuery = []int{http.StatusUnprocessableEntity}
	withBody  = []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}
)

// describe completes the description of what is registered: problems, examples, and what huma takes for granted of Go's types.
func describe(api huma.API) {
	doc := api.OpenAPI()
	doc.Info.Version, doc.Info.Description = apiVersion, apiDescription
	doc.Servers = []*huma.Server{{URL: "http://labnet", Description: "Over the control socket; the name of the host doesn't count"}}
	schemas := doc.Components.Schemas
	problem := schemas.Schema(reflect.TypeFor[huma.ErrorModel](), true, "ErrorModel")
	describeProblem(schemas.Map()["ErrorModel"])
	asked := map[*huma.Schema]bool{}
	for _, path := range doc.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post, path.Put, path.Patch, path.Delete} {
			if op == nil {
				continue
			}
			n := operationNotes[op.OperationID]
			op.Tags = []string{n.tag}
			describeAnswers(op, n, problem)
			if op.RequestBody != nil {
				for _, content := range op.RequestBody.Content {
					reach(schemas, content.Schema, asked)
				}
			}
		}
	}
	for _, s := range schemas.Map() {
		opened(s, asked[s])
	}
	for _, line := range []reflect.Type{reflect.TypeFor[traceLine](), reflect.TypeFor[dnsTraceLine]()} {
		s := schemas.SchemaFromRef(schemas.Schema(line, true, "").Ref)
		s.AnyOf = []*huma.Schema{{Required: s.Required}, {Required: []string{"lost"}}, {Required: []string{"end"}}}
		s.Required = nil
	}
}

// describeAnswers says which problems an operation may answer with, and shows a success.
func describeAnswers(op *huma.Operation, n notes, problem *huma.Schema) {
	delete(op.Responses, "default")
	for code, response := range op.Responses {
		if response.Description == "OK" {
			response.Description = op.Summary
		}
		for _, content := range response.Content {
			if code[0] == '2' && n.example != nil {
				content.Example = n.example
			}
			opened(content.Schema, false)
		}
	}
	codes := append([]int{http.StatusForbidden, http.StatusInternalServerError}, n.problems...)
	if len(op.Parameters) > 0 {
		codes = append(codes, withQuery...)
	}
	if op.RequestBody != nil {
		codes = append(codes, withBody...)
	}
	slices.Sort(codes)
	for _, code := range slices.Compact(codes) {
		op.Responses[strconv.Itoa(code)] = &huma.Response{
			Description: problemPrefix + problemTypes[code],
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
		}
	}
}

// describeProblem says what our problems have.
func describeProblem(s *huma.Schema) {
	s.Required = []string{"detail", "status", "title", "type"}
	s.Properties["type"].Description = "Of which kind the problem is; stable"
	s.Properties["type"].Examples = []any{problemPrefix + problemTypes[http.StatusNotFound]}
	s.Properties["type"].Default = nil
	s.Properties["title"].Examples = []any{http.StatusText(http.StatusNotFound)}
	s.Properties["status"].Examples = []any{http.StatusNotFound}
	s.Properties["detail"].Description = "What is wrong, for people"
	s.Properties["detail"].Examples = []any{`there is no network "dmz"; there is: lab`}
	s.Properties["errors"].Description = "Of a request that isn't of this API: what about it"
	delete(s.Properties, "instance")
}

// opened makes of a schema for reading what it is: lists are never null, and an answer may get more fields one day. What is asked with may have no
// other fields.
func opened(s *huma.Schema, asked bool) {
	if s == nil {
		return
	}
	s.Nullable = s.Nullable && s.Type != huma.TypeArray
	if !asked && s.Properties != nil {
		s.AdditionalProperties = nil
	}
	for _, p := range s.Properties {
		opened(p, asked)
	}
	opened(s.Items, asked)
}

// reach notes a schema and all that it refers to.
func reach(schemas huma.Registry, s *huma.Schema, seen map[*huma.Schema]bool) {
	if s == nil {
		return
	}
	if s.Ref != "" {
		s = schemas.SchemaFromRef(s.Ref)
	}
	if seen[s] {
		return
	}
	seen[s] = true
	for _, p := range s.Properties {
		reach(schemas, p, seen)
	}
	reach(schemas, s.Items, seen)
}
