package daemon

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"labnet/internal/control"
)

// turn is what a change of the configuration that is served needs: where the parts run.
type turn struct {
	ctx   context.Context
	front *errgroup.Group
}

// turnRequest is a change that waits for its turn.
type turnRequest struct {
	change func(turn) error
	done   chan error
}

// inTurn makes a change when no other one is made, a reload included. What change reads of d.file and d.kept stays meanwhile.
func (d *daemon) inTurn(ctx context.Context, change func(turn) error) error {
	request := turnRequest{change, make(chan error, 1)}
	select {
	case d.turns <- request:
		return <-request.done
	case <-ctx.Done():
		return ctx.Err()
	case <-d.ended:
		return fmt.Errorf("%w: the daemon is ending", control.ErrConflict)
	}
}
