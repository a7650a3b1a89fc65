PRAGMA journal_mode = wal;
-- Who has which address. Times are Unix seconds, in UTC: datetime(expiry, 'unixepoch').
CREATE TABLE leases (
  network        TEXT NOT NULL,
  addr           TEXT NOT NULL,     -- 10.0.0.17
  client         TEXT NOT NULL,     -- client identifier (option 61) in hex, or mac:… when the client sends none
  hwtype         INTEGER NOT NULL,  -- ARP hardware type: 1 is Ethernet
  hwaddr         TEXT NOT NULL,     -- 52:54:00:12:34:56
  name           TEXT NOT NULL,     -- DNS label that the lease holds, '' for none
  state          TEXT NOT NULL,     -- bound, declined, released, expired
  start          INTEGER NOT NULL,
  expiry         INTEGER,           -- NULL: never; when it ended, for one that has
  seen           INTEGER NOT NULL,  -- last message of the client
  requested_name TEXT NOT NULL,     -- what the client calls itself, escaped as a Go string
  vendor         TEXT NOT NULL,     -- its vendor class, escaped as a Go string
  reserved       INTEGER NOT NULL,  -- 1: by a reservation
  PRIMARY KEY (network, addr)
) STRICT, WITHOUT ROWID;

-- Who had which address: a row for every lease that has ended, never changed, removed by age and number.
CREATE TABLE history (
  id      INTEGER PRIMARY KEY,
  network TEXT NOT NULL,
  addr    TEXT NOT NULL,
  client  TEXT NOT NULL,
  hwaddr  TEXT NOT NULL,
  name    TEXT NOT NULL,
  state   TEXT NOT NULL,     -- how it ended: released, expired, declined; replaced by another client; changed name or hwaddr
  since   INTEGER NOT NULL,
  until   INTEGER NOT NULL
) STRICT;
CREATE INDEX history_addr ON history (addr, since);
CREATE INDEX history_until ON history (until);

CREATE TRIGGER lease_ended AFTER UPDATE ON leases
WHEN OLD.state = 'bound' AND (NEW.state <> 'bound' OR NEW.client <> OLD.client OR NEW.name <> OLD.name OR NEW.hwaddr <> OLD.hwaddr)
BEGIN
  INSERT INTO history (network, addr, client, hwaddr, name, state, since, until) VALUES (
    OLD.network, OLD.addr, OLD.client, OLD.hwaddr, OLD.name,
    CASE WHEN NEW.state <> 'bound' THEN NEW.state WHEN NEW.client <> OLD.client THEN 'replaced' ELSE 'changed' END,
    OLD.start,
    CASE WHEN NEW.state IN ('released', 'expired') THEN coalesce(NEW.expiry, NEW.seen)
         ELSE min(NEW.seen, coalesce(OLD.expiry, NEW.seen)) END);
END;

-- Both, for people.
CREATE VIEW tenancies AS
  SELECT network, addr, client, hwaddr, name, state, datetime(since, 'unixepoch') AS since, datetime(until, 'unixepoch') AS until
    FROM history
  UNION ALL
  SELECT network, addr, client, hwaddr, name, state, datetime(start, 'unixepoch'), datetime(expiry, 'unixepoch')
    FROM leases WHERE state = 'bound';

-- Records that the daemon could not understand, as JSON.
CREATE TABLE set_aside (
  at     INTEGER NOT NULL,
  reason TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
PRAGMA application_id = 1281450572;
PRAGMA user_version = 1;
