package leases

// The file says that it is ours: `file leases.db` shows the application id ("LabL").
const (
	applicationID = 0x4c61624c
	schemaVersion = 3
)

// schema is what `sqlite3 leases.db .schema` shows; people query it, so it changes only with schemaVersion.
const schema = `
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

-- Records that the daemon could not understand, as JSON.
CREATE TABLE set_aside (
  at     INTEGER NOT NULL,
  reason TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
` + redoSchema + historySchema + reservationsSchema

// redoSchema came with version 2.
const redoSchema = `
-- How far the redo log beside this file (-redo1 and -redo2: the leases of the last seconds) has been moved into it.
CREATE TABLE redo_log (
  id    TEXT NOT NULL,     -- of the log that belongs to this database
  moved INTEGER NOT NULL   -- the last segment that is in it
) STRICT;
INSERT INTO redo_log VALUES (lower(hex(randomblob(16))), 0);
`

// dropOldHistory takes away what historySchema replaces: before version 3 every row of a lease that had changed began with the lease.
const dropOldHistory = `DROP TRIGGER lease_ended; DROP VIEW tenancies;`

// sinceOfBound is when a row of leases that is bound began to be as it is.
const sinceOfBound = `coalesce((
      SELECT h.until FROM history AS h
      WHERE h.addr = leases.addr AND h.since >= leases.start AND h.network = leases.network AND h.client = leases.client AND h.state = 'changed'
      ORDER BY h.since DESC, h.id DESC LIMIT 1), start)`

// historySchema is as of version 3. A row of a lease whose name or hwaddr had changed begins where the row before it ended.
const historySchema = `
CREATE TRIGGER lease_ended AFTER UPDATE ON leases
WHEN OLD.state = 'bound' AND (NEW.state <> 'bound' OR NEW.client <> OLD.client OR NEW.name <> OLD.name OR NEW.hwaddr <> OLD.hwaddr)
BEGIN
  INSERT INTO history (network, addr, client, hwaddr, name, state, since, until)
  SELECT OLD.network, OLD.addr, OLD.client, OLD.hwaddr, OLD.name, ended.state,
    coalesce((
      SELECT h.until FROM history AS h
      WHERE h.addr = OLD.addr AND h.since >= OLD.start AND h.network = OLD.network AND h.client = OLD.client AND h.state = 'changed'
        AND h.until <= ended.until
      ORDER BY h.since DESC, h.id DESC LIMIT 1), OLD.start),
    max(OLD.start, ended.until)
  FROM (SELECT
    CASE WHEN NEW.state <> 'bound' THEN NEW.state WHEN NEW.client <> OLD.client THEN 'replaced' ELSE 'changed' END AS state,
    CASE WHEN NEW.state IN ('released', 'expired') THEN coalesce(NEW.expiry, NEW.seen)
         ELSE min(NEW.seen, coalesce(OLD.expiry, NEW.seen)) END AS until) AS ended;
END;

-- Both, for people.
CREATE VIEW tenancies AS
  SELECT network, addr, client, hwaddr, name, state, datetime(since, 'unixepoch') AS since, datetime(until, 'unixepoch') AS until
    FROM history
  UNION ALL
  SELECT network, addr, client, hwaddr, name, state, datetime(` + sinceOfBound + `, 'unixepoch'), datetime(expiry, 'unixepoch')
    FROM leases WHERE state = 'bound';
`

// reservationsSchema came with version 3.
const reservationsSchema = `
-- Reservations that were made while the daemon ran (labnet leases reserve). Where the configuration file disagrees, the file counts.
CREATE TABLE reservations (
  network TEXT NOT NULL,
  hwaddr  TEXT NOT NULL,     -- whose it is: 52:54:00:12:34:56, or '' if client says it
  client  TEXT NOT NULL,     -- client identifier (option 61) in hex, or ''
  name    TEXT NOT NULL,     -- DNS label, '' for none
  addr    TEXT NOT NULL,     -- '' for any
  made    INTEGER NOT NULL,  -- when, Unix seconds
  PRIMARY KEY (network, hwaddr, client)
) STRICT, WITHOUT ROWID;
`

// migrations bring a database from the version that is the index to the next one.
var migrations = [schemaVersion]string{1: redoSchema, 2: dropOldHistory + historySchema + reservationsSchema}

const (
	upsertSQL = `INSERT INTO leases
  (network, addr, client, hwtype, hwaddr, name, state, start, expiry, seen, requested_name, vendor, reserved)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
  client = excluded.client, hwtype = excluded.hwtype, hwaddr = excluded.hwaddr, name = excluded.name, state = excluded.state,
  start = excluded.start, expiry = excluded.expiry, seen = excluded.seen,
  requested_name = excluded.requested_name, vendor = excluded.vendor, reserved = excluded.reserved`

	selectSQL = `SELECT network, addr, client, hwtype, hwaddr, name, state, start, expiry, seen, requested_name, vendor, reserved
FROM leases ORDER BY network, addr`

	movedSQL = `UPDATE redo_log SET moved = ?`

	// Few rows a time, so that no transaction is long.
	pruneSQL = `DELETE FROM history WHERE id IN (SELECT id FROM history WHERE until < ? ORDER BY until LIMIT 500)`

	// Ids grow by one a row. More rows go than one transaction can add.
	surplusSQL = `DELETE FROM history WHERE id IN
  (SELECT id FROM history WHERE id <= (SELECT max(id) FROM history) - ? ORDER BY id LIMIT ?)`

	setAsideSQL = `INSERT INTO set_aside (at, reason, record)
SELECT unixepoch(), ?, json_object('network', network, 'addr', addr, 'client', client, 'hwtype', hwtype, 'hwaddr', hwaddr,
  'name', name, 'state', state, 'start', start, 'expiry', expiry, 'seen', seen, 'requested_name', requested_name,
  'vendor', vendor, 'reserved', reserved)
FROM leases WHERE network = ? AND addr = ?`

	deleteSQL = `DELETE FROM leases WHERE network = ? AND addr = ?`
)
