package control

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
)

// DNSCache is how the cache of the upstreams' answers does. Counters count since the daemon's start.
type DNSCache struct {
	CacheUse
	Hits     uint64          `json:"hits" doc:"Questions answered from the cache"`
	Negative uint64          `json:"negative_hits" doc:"Questions answered from the cache: there is no such name or type"`
	Failures uint64          `json:"failure_hits" doc:"Questions answered from the cache: there was no answer a moment ago"`
	Misses   uint64          `json:"misses" doc:"Questions for which upstreams were asked"`
	Evicted  uint64          `json:"evicted" doc:"Answers that had to go before they expired"`
	Groups   []DNSCacheGroup `json:"upstreams" nullable:"false" doc:"By group of upstreams"`
}

// CacheUse is how full the cache is.
type CacheUse struct {
	Entries int   `json:"entries" doc:"Answers that are kept"`
	Bytes   int64 `json:"bytes" doc:"That they take"`
	Limit   int64 `json:"limit_bytes" doc:"That they may take"`
}

// DNSCacheGroup is what is kept of one group's answers.
type DNSCacheGroup struct {
	Group    string `json:"group" doc:"Empty for answers of this host itself, and of groups that the configuration doesn't have any more"`
	Own      bool   `json:"own,omitempty" doc:"What the configuration itself answers, made ready for the wire; a flush leaves it"`
	Entries  int    `json:"entries"`
	Bytes    int64  `json:"bytes"`
	Negative int    `json:"negative" doc:"Of the entries: there is no such name or type"`
	Failures int    `json:"failures" doc:"Of the entries: there was no answer"`
	Expired  int    `json:"expired" doc:"Of the entries: no longer good, kept until the room is needed"`
}

// FlushedDNS is what came of a flush.
type FlushedDNS struct {
	Flushed int `json:"flushed" doc:"How many answers went"`
}

type flushInput struct {
	Name  string `query:"name" doc:"Only answers to questions about this name" example:"www.example.org"`
	Below bool   `query:"below" doc:"Also about the names under it"`
}

func registerCache(api huma.API, backend Backend, log *slog.Logger) {
	const path = "/v1/dns/cache"
	huma.Register(api, huma.Operation{
		OperationID: "dns-cache", Method: http.MethodGet, Path: path, Summary: "How the cache of the upstreams' answers does",
	}, func(context.Context, *struct{}) (*body[DNSCache], error) {
		return respond(backend.DNSCache()), nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "flush-dns-cache", Method: http.MethodDelete, Path: path, Summary: "Take answers out of the cache",
	}, changing(log, "flush-dns-cache", func(_ context.Context, in *flushInput) (*body[FlushedDNS], error) {
		if in.Below && in.Name == "" {
			return nil, huma.Error422UnprocessableEntity("below wants a name")
		}
		flushed, err := backend.FlushDNS(in.Name, in.Below)
		if err != nil {
			return nil, problem(err)
		}
		return respond(flushed), nil
	}))
}

// DNSCache asks how the cache does.
func (c *Client) DNSCache(ctx context.Context) (DNSCache, error) {
	var found DNSCache
	return found, c.do(ctx, http.MethodGet, "/v1/dns/cache", &found)
}

// FlushDNS takes answers out of the cache: all for "", else those about a name, and with below also those about the names under it.
func (c *Client) FlushDNS(ctx context.Context, name string, below bool) (FlushedDNS, error) {
	query := url.Values{}
	if name != "" {
		query.Set("name", name)
	}
	if below {
		query.Set("below", "true")
	}
	var flushed FlushedDNS
	return flushed, c.do(ctx, http.MethodDelete, "/v1/dns/cache?"+query.Encode(), &flushed)
}
