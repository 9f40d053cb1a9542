-- Reservations: units of several levels that belong to one order.

-- +migrate Up
SET ROLE stock_owner;

-- No hold of the level ends before; NULL: nothing is held. It changes with the level's counts only, so
-- that an instant that has passed means: ask which holds are over.
ALTER TABLE stock.level ADD COLUMN earliest_expire_at timestamptz;

ALTER TABLE stock.movement
  ADD COLUMN reservation uuid,
  DROP CONSTRAINT movement_kind_check,
  ADD CONSTRAINT movement_kind_check CHECK (kind IN (
    'ADJUST', 'SET', 'IMPORT', 'DIRECT', 'MOVE', 'SETTINGS',
    'RESERVE', 'UPDATE', 'COMMIT', 'RELEASE', 'EXPIRE', 'FULFILL'));

-- One row each, whatever the number of lines: every row costs a flash sale. The levels are the only locks: a
-- reservation changes under those of all its lines, and a line of a hold that has ended expires under that of
-- its level. A reservation is the memory of the request that made it, whose id it has.
CREATE TABLE stock.reservation (
  id         uuid PRIMARY KEY,
  state      text NOT NULL CHECK (state IN ('HELD', 'COMMITTED', 'FULFILLED', 'RELEASED', 'EXPIRED')),
  revision   bigint NOT NULL CHECK (revision > 0),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expire_at  timestamptz NOT NULL,
  xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- that made it
  digest     bytea NOT NULL,
  skus       text[] NOT NULL,  -- this and the next four: the lines, in order of (sku, location)
  locations  text[] NOT NULL,
  quantities bigint[] NOT NULL CHECK (0 < ALL (quantities)),
  fulfilled  bigint[] NOT NULL CHECK (0 <= ALL (fulfilled)),
  expired    boolean[] NOT NULL,
  reference  text NOT NULL DEFAULT '',
  actor      text NOT NULL DEFAULT '',
  CHECK (cardinality(skus) > 0 AND cardinality(skus) = ALL (ARRAY[
    cardinality(locations), cardinality(quantities), cardinality(fulfilled), cardinality(expired)]))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX reservation_due ON stock.reservation (expire_at) WHERE state = 'HELD';

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON stock.reservation
  FOR EACH STATEMENT EXECUTE FUNCTION stock.refuse();
ALTER TABLE stock.reservation ENABLE ALWAYS TRIGGER refuse_truncate;

GRANT SELECT ON stock.reservation TO stock_writer, stock_reader;
GRANT INSERT, UPDATE ON stock.reservation TO stock_writer;

RESET ROLE;

-- As before, and of reservations.
-- +migrate StatementBegin
CREATE OR REPLACE FUNCTION stock.adopt_ledger() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  adopted bigint;
BEGIN
  LOCK TABLE stock.level, stock.movement, stock.request, stock.reservation, stock.heartbeat
    IN ACCESS EXCLUSIVE MODE;
  ALTER TABLE stock.movement DISABLE TRIGGER refuse_rewriting;
  -- 3 is the first id that PostgreSQL gives out: below every snapshot there is.
  UPDATE stock.movement SET xid = '3' WHERE xid <> '3';
  GET DIAGNOSTICS adopted = ROW_COUNT;
  ALTER TABLE stock.movement ENABLE ALWAYS TRIGGER refuse_rewriting;
  UPDATE stock.request SET xid = '3' WHERE xid <> '3';
  UPDATE stock.reservation SET xid = '3' WHERE xid <> '3';
  DELETE FROM stock.heartbeat;
  DELETE FROM stock.commit;
  DELETE FROM stock.incarnation;
  UPDATE stock.ledger
  SET system_identifier = (SELECT c.system_identifier FROM pg_control_system() c),
      database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
  RETURN adopted;
END
$$;
-- +migrate StatementEnd

-- +migrate Down
SET ROLE stock_owner;
DROP TABLE stock.reservation;
ALTER TABLE stock.movement
  DROP COLUMN reservation,
  DROP CONSTRAINT movement_kind_check,
  ADD CONSTRAINT movement_kind_check CHECK (kind IN ('ADJUST', 'SET', 'IMPORT', 'DIRECT')) NOT VALID;
ALTER TABLE stock.level DROP COLUMN earliest_expire_at;
RESET ROLE;
