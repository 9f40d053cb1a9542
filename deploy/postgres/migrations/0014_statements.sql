-- What many levels in one statement have in common is looked up once, and the guards of a single one cost less. And they
-- guard no tables but the ledger's.

-- +migrate Up
SET ROLE stock_owner;

-- A level's location is there, as the foreign key says, which looked for it row by row: here each location of a
-- statement is looked for once, and kept as the foreign key does, by the same lock on the newest that there is of it.
-- Who deletes or renames a location meanwhile waits for that lock, and is refused by the foreign key; or was first,
-- and is waited for here. Where a transaction keeps to one snapshot, a location that has gone since is a serialization
-- failure here, and a level that has come since is seen by the foreign key, as ever.
-- +migrate StatementBegin
CREATE FUNCTION stock.check_locations() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  missing text;
BEGIN
  SELECT named.location INTO missing
  FROM (SELECT DISTINCT location FROM new_rows) AS named
  WHERE (SELECT true FROM ONLY stock.location WHERE id = named.location FOR KEY SHARE) IS NULL
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'a level names location %, which is not there', missing
      USING ERRCODE = 'foreign_key_violation', SCHEMA = 'stock', TABLE = 'level', COLUMN = 'location',
            CONSTRAINT = 'level_location_fkey';
  END IF;
  RETURN NULL;
END
$$;
-- +migrate StatementEnd
CREATE TRIGGER check_locations AFTER INSERT ON stock.level
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION stock.check_locations();
ALTER TABLE stock.level ENABLE ALWAYS TRIGGER check_locations;

-- As before. Each row looks for its movement by its key, whatever a session planned this for: neither are the
-- transaction's movements gone through for each of many, nor is all of the ledger for a few.
-- +migrate StatementBegin
CREATE OR REPLACE FUNCTION stock.record_direct_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  unexplained stock.level_change[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(ROW(NULL, n)::stock.level_change) INTO unexplained
    FROM new_rows n
    WHERE (
      SELECT m.version = n.version AND m.xid = pg_current_xact_id() AND NOT m.deleted
        AND (m.on_hand, m.reserved, m.committed, m.safety_stock, m.backorder_limit)
          = (n.on_hand, n.reserved, n.committed, n.safety_stock, n.backorder_limit)
      FROM stock.movement m
      WHERE m.sku = n.sku AND m.location = n.location
      ORDER BY m.version DESC LIMIT 1) IS NOT TRUE;
  ELSIF TG_OP = 'UPDATE' THEN
    SELECT array_agg(ROW(o, n)::stock.level_change) INTO unexplained
    FROM old_rows o FULL JOIN new_rows n ON n.sku = o.sku AND n.location = o.location
    WHERE (o.version, o.on_hand, o.reserved, o.committed, o.safety_stock, o.backorder_limit)
          IS DISTINCT FROM
          (n.version, n.on_hand, n.reserved, n.committed, n.safety_stock, n.backorder_limit)
      AND (
        SELECT n.version > o.version AND m.xid = pg_current_xact_id() AND NOT m.deleted
          AND (m.on_hand, m.reserved, m.committed, m.safety_stock, m.backorder_limit)
            = (n.on_hand, n.reserved, n.committed, n.safety_stock, n.backorder_limit)
        FROM stock.movement m
        WHERE m.sku = n.sku AND m.location = n.location AND m.version = n.version) IS NOT TRUE;
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
      on_hand, reserved, committed, safety_stock, backorder_limit, earliest_expire_at)
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
      coalesce((c.after).backorder_limit, 0), (c.after).earliest_expire_at
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

-- As before. The movement is looked for only where the new rows do not show all of it: where there are several of its
-- key, or it says when a hold ends. The level is, key by key; joined, a session might go through all there are for one.
-- +migrate StatementBegin
CREATE OR REPLACE FUNCTION stock.check_movements() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
BEGIN
  SELECT g.sku, g.location, g.newest, g.foreign_xid INTO wrong
  FROM (SELECT sku, location, min(version) AS oldest, max(version) AS newest, count(*) AS n,
               bool_or(xid <> pg_current_xact_id()) AS foreign_xid,
               min(CASE WHEN NOT deleted AND earliest_expire_at IS NULL THEN
                 ARRAY[version, on_hand, reserved, committed, safety_stock, backorder_limit] END) AS counts
        FROM new_rows GROUP BY sku, location) g
  LEFT JOIN LATERAL (
    SELECT * FROM stock.level WHERE sku = g.sku AND location = g.location LIMIT 1) l ON true
  WHERE g.foreign_xid
     OR g.newest - g.oldest + 1 <> g.n
     OR (g.oldest > 1 AND NOT EXISTS (
           SELECT FROM stock.movement p
           WHERE p.sku = g.sku AND p.location = g.location AND p.version = g.oldest - 1))
     OR ((g.n = 1
          AND g.counts = ARRAY[l.version, l.on_hand, l.reserved, l.committed, l.safety_stock, l.backorder_limit]) IS NOT TRUE
         AND (SELECT CASE WHEN m.deleted THEN l.sku IS NOT NULL
              ELSE (l.version, l.on_hand, l.reserved, l.committed, l.safety_stock, l.backorder_limit)
                   IS DISTINCT FROM
                   (m.version, m.on_hand, m.reserved, m.committed, m.safety_stock, m.backorder_limit)
                   OR (m.earliest_expire_at IS NOT NULL
                       AND m.earliest_expire_at IS DISTINCT FROM l.earliest_expire_at)
              END
              FROM stock.movement m
              WHERE m.sku = g.sku AND m.location = g.location AND m.version = g.newest))
  LIMIT 1;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF wrong.foreign_xid THEN
    RAISE EXCEPTION 'a movement carries the id of the transaction that inserts it'
      USING ERRCODE = 'integrity_constraint_violation', HINT = 'Leave out the column xid.';
  END IF;
  RAISE EXCEPTION 'movement % of (%, %) does not continue the ledger or is not what the level says',
    wrong.newest, wrong.sku, wrong.location
    USING ERRCODE = 'integrity_constraint_violation',
          HINT = 'Change stock.level; its movements are written for you.';
END
$$;
-- +migrate StatementEnd

-- As before. A condition is read anew for each statement, so it is short, and the rest is asked where it is met.
-- +migrate StatementBegin
CREATE OR REPLACE FUNCTION stock.leave_as_it_is() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (old.sku, old.location, old.on_hand, old.reserved, old.committed, old.safety_stock, old.backorder_limit)
     IS NOT DISTINCT FROM
     (new.sku, new.location, new.on_hand, new.reserved, new.committed, new.safety_stock, new.backorder_limit) THEN
    RETURN NULL;
  END IF;
  RETURN new;
END
$$;
-- +migrate StatementEnd
DROP TRIGGER leave_as_it_is ON stock.level;
CREATE TRIGGER leave_as_it_is BEFORE UPDATE ON stock.level
  FOR EACH ROW WHEN (old.version = new.version)
  EXECUTE FUNCTION stock.leave_as_it_is();
ALTER TABLE stock.level ENABLE ALWAYS TRIGGER leave_as_it_is;

-- With the rights of the owner, who alone may make a trigger of them from now on: on a table of somebody else's they
-- would compare values of types of his own, by casts of his own, with these rights.
REVOKE EXECUTE ON FUNCTION stock.check_locations(), stock.check_movements(), stock.record_direct_changes() FROM PUBLIC;

RESET ROLE;

-- Of the foreign key, only what looks for the location of each new row is off; it stays on for changes of levels and of
-- locations. That is for superusers. Elsewhere, and after a restore from a dump, locations are looked for twice.
-- +migrate StatementBegin
DO $$
DECLARE
  by_row name;
BEGIN
  SELECT tgname INTO STRICT by_row FROM pg_trigger
  WHERE tgrelid = 'stock.level'::regclass AND tgfoid = '"RI_FKey_check_ins"'::regproc;
  EXECUTE format('ALTER TABLE stock.level DISABLE TRIGGER %I', by_row);
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'the foreign key of stock.level goes on checking row by row: %', SQLERRM;
END
$$;
-- +migrate StatementEnd

-- +migrate Down
-- +migrate StatementBegin
DO $$
DECLARE
  by_row name;
BEGIN
  SELECT tgname INTO STRICT by_row FROM pg_trigger
  WHERE tgrelid = 'stock.level'::regclass AND tgfoid = '"RI_FKey_check_ins"'::regproc AND tgenabled = 'D';
  EXECUTE format('ALTER TABLE stock.level ENABLE TRIGGER %I', by_row);
EXCEPTION WHEN no_data_found THEN
  NULL;
END
$$;
-- +migrate StatementEnd
SET ROLE stock_owner;
DROP TRIGGER check_locations ON stock.level;
DROP FUNCTION stock.check_locations();
-- +migrate StatementBegin
CREATE OR REPLACE FUNCTION stock.record_direct_changes() RETURNS trigger
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
      on_hand, reserved, committed, safety_stock, backorder_limit, earliest_expire_at)
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
      coalesce((c.after).backorder_limit, 0), (c.after).earliest_expire_at
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
-- +migrate StatementBegin
CREATE OR REPLACE FUNCTION stock.check_movements() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
BEGIN
  SELECT g.sku, g.location, g.newest, g.foreign_xid INTO wrong
  FROM (SELECT sku, location, min(version) AS oldest, max(version) AS newest, count(*) AS n,
               bool_or(xid <> pg_current_xact_id()) AS foreign_xid
        FROM new_rows GROUP BY sku, location) g
  JOIN stock.movement m ON m.sku = g.sku AND m.location = g.location AND m.version = g.newest
  LEFT JOIN stock.level l ON l.sku = g.sku AND l.location = g.location
  WHERE g.foreign_xid
     OR g.newest - g.oldest + 1 <> g.n
     OR (g.oldest > 1 AND NOT EXISTS (
           SELECT FROM stock.movement p
           WHERE p.sku = g.sku AND p.location = g.location AND p.version = g.oldest - 1))
     OR CASE WHEN m.deleted THEN l.sku IS NOT NULL
        ELSE (l.version, l.on_hand, l.reserved, l.committed, l.safety_stock, l.backorder_limit)
             IS DISTINCT FROM
             (m.version, m.on_hand, m.reserved, m.committed, m.safety_stock, m.backorder_limit)
             OR (m.earliest_expire_at IS NOT NULL
                 AND m.earliest_expire_at IS DISTINCT FROM l.earliest_expire_at)
        END
  LIMIT 1;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF wrong.foreign_xid THEN
    RAISE EXCEPTION 'a movement carries the id of the transaction that inserts it'
      USING ERRCODE = 'integrity_constraint_violation', HINT = 'Leave out the column xid.';
  END IF;
  RAISE EXCEPTION 'movement % of (%, %) does not continue the ledger or is not what the level says',
    wrong.newest, wrong.sku, wrong.location
    USING ERRCODE = 'integrity_constraint_violation',
          HINT = 'Change stock.level; its movements are written for you.';
END
$$;
-- +migrate StatementEnd
DROP TRIGGER leave_as_it_is ON stock.level;
-- +migrate StatementBegin
CREATE OR REPLACE FUNCTION stock.leave_as_it_is() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN NULL;
END
$$;
-- +migrate StatementEnd
CREATE TRIGGER leave_as_it_is BEFORE UPDATE ON stock.level
  FOR EACH ROW WHEN (
    (old.sku, old.location, old.version, old.on_hand, old.reserved, old.committed,
     old.safety_stock, old.backorder_limit)
    IS NOT DISTINCT FROM
    (new.sku, new.location, new.version, new.on_hand, new.reserved, new.committed,
     new.safety_stock, new.backorder_limit))
  EXECUTE FUNCTION stock.leave_as_it_is();
ALTER TABLE stock.level ENABLE ALWAYS TRIGGER leave_as_it_is;
RESET ROLE;
