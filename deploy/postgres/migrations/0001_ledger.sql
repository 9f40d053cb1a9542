-- The ledger: what happened to every stock count, in order, and the counts that follow from it.
--
-- A level is the current counts of one key (sku, location). A movement is one immutable entry of the
-- ledger; movement n of a key made version n of its level. Two rules are kept by the triggers below,
-- against everyone, the owner and superusers included (they can only be lifted by ALTER TABLE):
--
--   1. No level changes without a movement. A change that brings no movement of its own (an UPDATE in
--      psql at night) is given one of kind DIRECT, with the name of the session's user on it.
--   2. Movements are only ever appended: contiguous versions, the last one equal to the level.
--
-- Counts are int64 and bounded by 10^15, so that sums over the counts of a level cannot overflow.

-- +migrate Up

-- +migrate StatementBegin
DO $$
BEGIN
  -- Roles belong to the cluster, not to the database: they may be there already.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_owner') THEN
    CREATE ROLE stock_owner NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_writer') THEN
    CREATE ROLE stock_writer LOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stock_reader') THEN
    CREATE ROLE stock_reader LOGIN;
  END IF;
END
$$;
-- +migrate StatementEnd

CREATE SCHEMA stock AUTHORIZATION stock_owner;
SET ROLE stock_owner;

-- Printable UTF-8, 1 to 64 bytes. Real SKUs hold spaces and lower case.
CREATE DOMAIN stock.name AS text COLLATE "C"
  CHECK (octet_length(VALUE) BETWEEN 1 AND 64 AND VALUE !~ '[\x01-\x1f\x7f\u0080-\u009f]');

CREATE DOMAIN stock.quantity AS bigint
  CHECK (VALUE BETWEEN 0 AND 1000000000000000);

CREATE TABLE stock.location (
  id           stock.name PRIMARY KEY,
  display_name text NOT NULL DEFAULT '' CHECK (octet_length(display_name) <= 256),
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Updated in place again and again: room in each page keeps the updates off the indexes (HOT).
CREATE TABLE stock.level (
  on_hand         stock.quantity NOT NULL DEFAULT 0,
  reserved        stock.quantity NOT NULL DEFAULT 0,  -- holds that expire
  committed       stock.quantity NOT NULL DEFAULT 0,  -- sold, not yet shipped
  safety_stock    stock.quantity NOT NULL DEFAULT 0,
  backorder_limit stock.quantity NOT NULL DEFAULT 0,
  version         bigint NOT NULL DEFAULT 0,
  changed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  sku             stock.name NOT NULL,
  location        stock.name NOT NULL REFERENCES stock.location (id),
  PRIMARY KEY (sku, location)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX level_location ON stock.level (location, sku);

CREATE TABLE stock.movement (
  version               bigint NOT NULL CHECK (version > 0),
  xid                   xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at                    timestamptz NOT NULL DEFAULT clock_timestamp(),
  on_hand_delta         bigint NOT NULL,
  reserved_delta        bigint NOT NULL,
  committed_delta       bigint NOT NULL,
  safety_stock_delta    bigint NOT NULL,
  backorder_limit_delta bigint NOT NULL,
  on_hand               bigint NOT NULL,  -- this and the next four: the counts afterwards
  reserved              bigint NOT NULL,
  committed             bigint NOT NULL,
  safety_stock          bigint NOT NULL,
  backorder_limit       bigint NOT NULL,
  request               uuid,
  deleted               boolean NOT NULL DEFAULT false,  -- a tombstone: the level is gone
  sku                   text COLLATE "C" NOT NULL,
  location              text COLLATE "C" NOT NULL,
  kind                  text NOT NULL CHECK (kind IN ('ADJUST', 'SET', 'IMPORT', 'DIRECT')),
  reason                text NOT NULL DEFAULT '',
  reference             text NOT NULL DEFAULT '',
  actor                 text NOT NULL DEFAULT '',
  PRIMARY KEY (sku, location, version)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);

CREATE INDEX movement_xid ON stock.movement (xid);

-- Answered writes, so that a repeated request is answered again instead of applied again. The
-- movements that the request made are named by key and version; `digest` is of its payload.
CREATE TABLE stock.request (
  id        uuid PRIMARY KEY,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  digest    bytea NOT NULL,
  skus      text[] NOT NULL,
  locations text[] NOT NULL,
  versions  bigint[] NOT NULL
);

-- One unbroken history of the ledger. UNLOGGED on purpose: the row survives a clean restart and is
-- gone after a crash, a promotion or a restore, which are the events after which PostgreSQL may give
-- out transaction ids a second time. Whoever finds it empty on a primary begins a new incarnation.
CREATE UNLOGGED TABLE stock.incarnation (
  id       bigint NOT NULL,
  began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  one      boolean PRIMARY KEY DEFAULT true CHECK (one)
);

-- Numbered, dated proof of what a snapshot of the primary contained. A standby that shows heartbeat
-- n shows everything that was visible on the primary at its stamp.
CREATE TABLE stock.heartbeat (
  number      bigint PRIMARY KEY,
  stamp       timestamptz NOT NULL,
  snapshot    pg_snapshot NOT NULL,
  incarnation bigint NOT NULL
);

-- Rule 1. Statement triggers, because COPY and set-wise statements fire them once, and because they
-- run after the whole statement, when movements inserted by the same statement are visible.
CREATE TYPE stock.level_change AS (before stock.level, after stock.level);

-- +migrate StatementBegin
CREATE FUNCTION stock.record_direct_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  unexplained stock.level_change[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(ROW(NULL, n)::stock.level_change) INTO unexplained
    FROM new_rows n
    WHERE NOT EXISTS (
      SELECT FROM stock.movement m
      WHERE m.sku = n.sku AND m.location = n.location AND m.version = n.version
        AND m.xid = pg_current_xact_id() AND NOT m.deleted
        AND (m.on_hand, m.reserved, m.committed, m.safety_stock, m.backorder_limit)
          = (n.on_hand, n.reserved, n.committed, n.safety_stock, n.backorder_limit)
        AND NOT EXISTS (
          SELECT FROM stock.movement later
          WHERE later.sku = n.sku AND later.location = n.location AND later.version > n.version));
  ELSIF TG_OP = 'UPDATE' THEN
    SELECT array_agg(ROW(o, n)::stock.level_change) INTO unexplained
    FROM old_rows o FULL JOIN new_rows n ON n.sku = o.sku AND n.location = o.location
    WHERE (o.version, o.on_hand, o.reserved, o.committed, o.safety_stock, o.backorder_limit)
          IS DISTINCT FROM
          (n.version, n.on_hand, n.reserved, n.committed, n.safety_stock, n.backorder_limit)
      AND NOT EXISTS (
        SELECT FROM stock.movement m
        WHERE m.sku = n.sku AND m.location = n.location AND m.version = n.version
          AND n.version > o.version AND m.xid = pg_current_xact_id() AND NOT m.deleted
          AND (m.on_hand, m.reserved, m.committed, m.safety_stock, m.backorder_limit)
            = (n.on_hand, n.reserved, n.committed, n.safety_stock, n.backorder_limit));
  ELSE
    SELECT array_agg(ROW(o, NULL)::stock.level_change) INTO unexplained FROM old_rows o;
  END IF;

  IF unexplained IS NULL THEN
    RETURN NULL;
  END IF;

  -- Acknowledged means durable, whatever the session asked for.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;

  -- Movement and version in one statement, so that the triggers that it fires see them agree.
  WITH direct AS (
    INSERT INTO stock.movement (
      sku, location, version, kind, deleted, actor, reason,
      on_hand_delta, reserved_delta, committed_delta, safety_stock_delta, backorder_limit_delta,
      on_hand, reserved, committed, safety_stock, backorder_limit)
    SELECT
      key.sku, key.location, newest.version + 1, 'DIRECT', (c.after).sku IS NULL,
      left(session_user || CASE current_setting('application_name') WHEN '' THEN ''
        ELSE ' (' || current_setting('application_name') || ')' END, 256),
      'direct ' || TG_OP,
      coalesce((c.after).on_hand, 0) - coalesce((c.before).on_hand, 0),
      coalesce((c.after).reserved, 0) - coalesce((c.before).reserved, 0),
      coalesce((c.after).committed, 0) - coalesce((c.before).committed, 0),
      coalesce((c.after).safety_stock, 0) - coalesce((c.before).safety_stock, 0),
      coalesce((c.after).backorder_limit, 0) - coalesce((c.before).backorder_limit, 0),
      coalesce((c.after).on_hand, 0), coalesce((c.after).reserved, 0),
      coalesce((c.after).committed, 0), coalesce((c.after).safety_stock, 0),
      coalesce((c.after).backorder_limit, 0)
    FROM unnest(unexplained) c,
      LATERAL (SELECT coalesce((c.after).sku, (c.before).sku) AS sku,
                      coalesce((c.after).location, (c.before).location) AS location) key,
      LATERAL (SELECT coalesce(max(m.version), 0) AS version FROM stock.movement m
               WHERE m.sku = key.sku AND m.location = key.location) newest
    RETURNING sku, location, version, at)
  UPDATE stock.level l SET version = d.version, changed_at = d.at
  FROM direct d WHERE l.sku = d.sku AND l.location = d.location;
  RETURN NULL;
END
$$;
-- +migrate StatementEnd

CREATE TRIGGER record_direct_inserts AFTER INSERT ON stock.level
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION stock.record_direct_changes();
CREATE TRIGGER record_direct_updates AFTER UPDATE ON stock.level
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION stock.record_direct_changes();
CREATE TRIGGER record_direct_deletes AFTER DELETE ON stock.level
  REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION stock.record_direct_changes();

-- Rule 2.
-- +migrate StatementBegin
CREATE FUNCTION stock.check_movements() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
BEGIN
  IF EXISTS (SELECT FROM new_rows WHERE xid <> pg_current_xact_id()) THEN
    RAISE EXCEPTION 'a movement carries the id of the transaction that inserts it'
      USING ERRCODE = 'integrity_constraint_violation', HINT = 'Leave out the column xid.';
  END IF;

  SELECT g.sku, g.location, g.newest INTO wrong
  FROM (SELECT sku, location, min(version) AS oldest, max(version) AS newest, count(*) AS n
        FROM new_rows GROUP BY sku, location) g
  JOIN new_rows m ON m.sku = g.sku AND m.location = g.location AND m.version = g.newest
  LEFT JOIN stock.level l ON l.sku = g.sku AND l.location = g.location
  WHERE g.newest - g.oldest + 1 <> g.n
     OR (g.oldest > 1 AND NOT EXISTS (
           SELECT FROM stock.movement p
           WHERE p.sku = g.sku AND p.location = g.location AND p.version = g.oldest - 1))
     OR CASE WHEN m.deleted THEN l.sku IS NOT NULL
        ELSE (l.version, l.on_hand, l.reserved, l.committed, l.safety_stock, l.backorder_limit)
             IS DISTINCT FROM
             (m.version, m.on_hand, m.reserved, m.committed, m.safety_stock, m.backorder_limit)
        END
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'movement % of (%, %) does not continue the ledger or is not what the level says',
      wrong.newest, wrong.sku, wrong.location
      USING ERRCODE = 'integrity_constraint_violation',
            HINT = 'Change stock.level; its movements are written for you.';
  END IF;
  RETURN NULL;
END
$$;
-- +migrate StatementEnd

CREATE TRIGGER check_movements AFTER INSERT ON stock.movement
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION stock.check_movements();

-- +migrate StatementBegin
CREATE FUNCTION stock.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION '% of stock.% is refused: the ledger is only ever appended to', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation',
          HINT = 'To take stock away, UPDATE or DELETE rows of stock.level.';
END
$$;
-- +migrate StatementEnd

CREATE TRIGGER refuse_rewriting BEFORE UPDATE OR DELETE OR TRUNCATE ON stock.movement
  FOR EACH STATEMENT EXECUTE FUNCTION stock.refuse();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON stock.level
  FOR EACH STATEMENT EXECUTE FUNCTION stock.refuse();

-- ALWAYS: `SET session_replication_role = replica` does not get around them.
ALTER TABLE stock.level ENABLE ALWAYS TRIGGER record_direct_inserts;
ALTER TABLE stock.level ENABLE ALWAYS TRIGGER record_direct_updates;
ALTER TABLE stock.level ENABLE ALWAYS TRIGGER record_direct_deletes;
ALTER TABLE stock.level ENABLE ALWAYS TRIGGER refuse_truncate;
ALTER TABLE stock.movement ENABLE ALWAYS TRIGGER check_movements;
ALTER TABLE stock.movement ENABLE ALWAYS TRIGGER refuse_rewriting;

-- Least privilege: one role owns, one writes what the service writes, one reads.
GRANT USAGE ON SCHEMA stock TO stock_writer, stock_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA stock TO stock_writer, stock_reader;
GRANT INSERT ON stock.location, stock.movement, stock.request TO stock_writer;
GRANT INSERT, UPDATE ON stock.level TO stock_writer;
GRANT INSERT, DELETE ON stock.heartbeat TO stock_writer;
GRANT INSERT, DELETE ON stock.incarnation TO stock_writer;

RESET ROLE;

-- The service compares the newest migration with the one that it was built for.
GRANT SELECT ON public.gorp_migrations TO stock_writer, stock_reader;

-- +migrate Down
SET ROLE stock_owner;
DROP SCHEMA stock CASCADE;
RESET ROLE;
