-- Many keys in one statement are checked one by one, not each against all.

-- +migrate Up
SET ROLE stock_owner;

-- As before. A session plans this once, for as many rows as its first statement had, mostly one: so nothing but the
-- primary keys is looked into for each key, and the new rows are gone through once.
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

RESET ROLE;

-- +migrate Down
SET ROLE stock_owner;
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
