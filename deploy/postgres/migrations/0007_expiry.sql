-- Each version of a level says when the first of its holds may end: so all who learn of versions learn of that too.

-- +migrate Up
SET ROLE stock_owner;

-- What the level's earliest_expire_at became by this movement. NULL: nothing is held, or it is not known: of what was
-- written before there was this column it is not, until the key moves again.
ALTER TABLE stock.movement ADD COLUMN earliest_expire_at timestamptz;

-- An instant that all can say who pass it on: no infinity, and neither the epoch, by which copies say that there is
-- none, nor what is before it.
ALTER TABLE stock.level ADD CONSTRAINT earliest_expire_at_is_an_instant
  CHECK (earliest_expire_at > 'epoch' AND earliest_expire_at < '10000-01-01 00:00:00+00');
ALTER TABLE stock.movement ADD CONSTRAINT earliest_expire_at_is_an_instant
  CHECK (earliest_expire_at > 'epoch' AND earliest_expire_at < '10000-01-01 00:00:00+00') NOT VALID;

-- As before, and the movement says what the level's row does.
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

-- As before, and what a movement says of the level's holds is so.
-- +migrate StatementBegin
CREATE OR REPLACE FUNCTION stock.check_movements() RETURNS trigger
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
             OR (m.earliest_expire_at IS NOT NULL
                 AND m.earliest_expire_at IS DISTINCT FROM l.earliest_expire_at)
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

RESET ROLE;

-- +migrate Down
SET ROLE stock_owner;
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
-- +migrate StatementBegin
CREATE OR REPLACE FUNCTION stock.check_movements() RETURNS trigger
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
ALTER TABLE stock.level DROP CONSTRAINT earliest_expire_at_is_an_instant;
ALTER TABLE stock.movement DROP COLUMN earliest_expire_at;
RESET ROLE;
