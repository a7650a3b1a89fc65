package control

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Upgrade is a takeover of the daemon's process by the program that stands where its own did.
type Upgrade struct {
	From    string    `json:"from" doc:"The version that runs"`
	To      string    `json:"to" doc:"The version that takes over"`
	Program string    `json:"program"`
	Started time.Time `json:"started" doc:"When the daemon started that runs: the other one's status says another time"`
}

// Takeover is how a daemon began that went on with the sockets of the one before.
type Takeover struct {
	From   string `json:"from" doc:"The version before"`
	Pause  int    `json:"pause_ms" doc:"For so long nothing was answered, and waited"`
	Failed string `json:"failed,omitempty" doc:"Why the daemon before couldn't be followed by another version, and this one serves again"`
}

// UpgradeBackend is what the server asks about upgrades and reloads.
type UpgradeBackend interface {
	// Reload reads the configuration again and brings what runs to it, but for an uplink, and returns what was changed on the host. After an
	// error what runs is as it was; it is ErrInvalid for a configuration that can't be served here, or ErrConflict.
	Reload(ctx context.Context) ([]Change, error)
	// Upgrade lets the program that stands where the daemon's own did take over, if it shows that it can: it begins when the answer is there.
	// The error is ErrConflict if it isn't fit, and the daemon goes on.
	Upgrade(ctx context.Context) (Upgrade, error)
}

func registerUpgrade(api huma.API, backend UpgradeBackend, log *slog.Logger) {
	huma.Register(api, huma.Operation{
		OperationID: "reload", Method: http.MethodPost, Path: "/v1/reload", DefaultStatus: http.StatusOK,
		Summary: "Read the configuration again and bring what runs to it, but for an uplink",
	}, changing(log, "reload", func(ctx context.Context, _ *struct{}) (*body[[]Change], error) {
		changed, err := backend.Reload(ctx)
		if err != nil {
			return nil, problem(err)
		}
		if changed == nil {
			changed = []Change{}
		}
		return respond(changed), nil
	}))
	huma.Register(api, huma.Operation{
		OperationID: "upgrade", Method: http.MethodPost, Path: "/v1/upgrade", DefaultStatus: http.StatusAccepted,
		Summary: "Let the program that stands where the daemon's own did take over, with its sockets",
	}, changing(log, "upgrade", func(ctx context.Context, _ *struct{}) (*body[Upgrade], error) {
		answer, err := backend.Upgrade(ctx)
		if err != nil {
			return nil, problem(err)
		}
		return respond(answer), nil
	}))
}

// Upgrade lets another program take the daemon over.
func (c *Client) Upgrade(ctx context.Context) (Upgrade, error) {
	var u Upgrade
	return u, c.do(ctx, http.MethodPost, "/v1/upgrade", &u)
}

// Reload lets the daemon read its configuration again; it returns what was changed on the host.
func (c *Client) Reload(ctx context.Context) ([]Change, error) {
	var changed []Change
	return changed, c.do(ctx, http.MethodPost, "/v1/reload", &changed)
}
