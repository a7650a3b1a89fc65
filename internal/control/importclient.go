package control

import (
	"context"
	"fmt"
	"net/http"
)

// importChunk is how many leases the client sends at a time, so that neither side needs memory for many.
const importChunk = 16_384

// ImportLeases takes over leases that another server gave out, a part at a time: after an error, those of earlier parts have been
// taken over, and the answer has their results. A dry run is one request, of MostImported leases at most.
func (c *Client) ImportLeases(ctx context.Context, request ImportRequest) (ImportAnswer, error) {
	var whole ImportAnswer
	all, chunk := request.Leases, importChunk
	if request.DryRun {
		if len(all) > MostImported {
			return whole, fmt.Errorf("a running daemon tries %d leases at a time at most, not %d; try fewer files, or import without --dry-run", MostImported, len(all))
		}
		chunk = max(1, len(all))
	}
	for {
		n := min(chunk, len(all))
		request.Leases = all[:n]
		var answer ImportAnswer
		if err := c.send(ctx, http.MethodPost, "/v1/leases/import", request, &answer); err != nil {
			return whole, err
		}
		if len(answer.Results) != n {
			return whole, fmt.Errorf("the daemon answers for %d of %d leases", len(answer.Results), n)
		}
		whole.Results = append(whole.Results, answer.Results...)
		if all = all[n:]; len(all) == 0 {
			return whole, nil
		}
	}
}
