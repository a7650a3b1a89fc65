package netcfg

import (
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Counters tells how many packets our rules have counted since they were made, by the family of the table and the name of the counter,
// as "inet spoofed". It needs CAP_NET_ADMIN.
func (h *Host) Counters() (map[string]uint64, error) {
	return h.CountersWithin(context.Background())
}

// CountersWithin is Counters for who doesn't want to wait beyond ctx for a change that is being made.
func (h *Host) CountersWithin(ctx context.Context) (map[string]uint64, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer h.leave()
	counted := map[string]uint64{}
	if h.ns.filter == nil {
		return counted, nil
	}
	for _, id := range []tableID{inetTable, bridgeTable} {
		messages, err := dump(h.ns.filter, nfKind(unix.NFT_MSG_GETOBJ), nfRequest(id.family, attrText(unix.NFTA_OBJ_TABLE, id.name)))
		if noNftables(err) {
			continue // no such table
		}
		if err != nil {
			return nil, explain(fmt.Errorf("listing counters: %w", err))
		}
		for _, m := range messages {
			var in, name string
			var packets uint64
			if err := eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
				switch kind {
				case unix.NFTA_OBJ_TABLE:
					in = text(v)
				case unix.NFTA_OBJ_NAME:
					name = text(v)
				case unix.NFTA_OBJ_DATA:
					_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
						if kind == unix.NFTA_COUNTER_PACKETS && len(v) == 8 {
							packets = binary.BigEndian.Uint64(v)
						}
					})
				}
			}); err != nil {
				return nil, err
			}
			if in == id.name {
				counted[id.family.String()+" "+name] = packets
			}
		}
	}
	return counted, nil
}
