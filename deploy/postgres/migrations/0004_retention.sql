-- Retention: what lies behind the horizon may be removed, as far as nothing that is left needs it.

-- +migrate Up
SET ROLE stock_owner;

-- One row. Reads of the past are exact from `at` on, and are refused before it: of each key the newest movement
-- that was committed by then stays, and all that follow.
CREATE TABLE stock.horizon (
  at           timestamptz,                 -- NULL: nothing was ever pruned
  movement_xid xid8 NOT NULL DEFAULT '0',   -- the greatest transaction of which a movement was pruned
  request_xid  xid8 NOT NULL DEFAULT '0',   -- the same, of requests and reservations
  one          boolean PRIMARY KEY DEFAULT true CHECK (one)
);
INSERT INTO stock.horizon DEFAULT VALUES;

-- It moves forward, stays behind all that streams, tokens and repeated requests need to go on, and is the owner's,
-- whatever somebody was granted: nothing is pruned without changing it.
-- +migrate StatementBegin
CREATE FUNCTION stock.check_horizon() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP <> 'UPDATE' OR NOT pg_has_role(current_user, 'stock_owner', 'USAGE') THEN
    RAISE EXCEPTION '% of stock.horizon is refused: its owner may move it forward', TG_OP
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF new.at < old.at OR (new.at IS NULL AND old.at IS NOT NULL)
     OR (new.at IS DISTINCT FROM old.at AND new.at > clock_timestamp() - interval '1 hour') THEN
    RAISE EXCEPTION 'the horizon moves forward only, to at most one hour ago; it is at %', old.at
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN new;
END
$$;
-- +migrate StatementEnd
CREATE TRIGGER check_horizon BEFORE UPDATE ON stock.horizon
  FOR EACH ROW EXECUTE FUNCTION stock.check_horizon();
CREATE TRIGGER refuse_removal BEFORE INSERT OR DELETE OR TRUNCATE ON stock.horizon
  FOR EACH STATEMENT EXECUTE FUNCTION stock.check_horizon();
ALTER TABLE stock.horizon ENABLE ALWAYS TRIGGER check_horizon;
ALTER TABLE stock.horizon ENABLE ALWAYS TRIGGER refuse_removal;

-- When a movement was committed, as reads of the past see it: by the server's memory of the transaction that wrote
-- the row (none of a copy, which an adopted ledger's are), by what the leader recorded, or by when it was written.
CREATE FUNCTION stock.committed_at(row_xid xid, movement_xid xid8, written_at timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(
    CASE WHEN current_setting('track_commit_timestamp') = 'on' AND movement_xid <> '3'
         THEN pg_xact_commit_timestamp(row_xid) END,
    (SELECT committed_at FROM stock.commit WHERE xid = movement_xid),
    written_at)
$$;

-- The rule of the ledger that movements are only ever appended, but for the owner's DELETE behind a horizon...
-- +migrate StatementBegin
CREATE FUNCTION stock.refuse_rewriting() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' AND pg_has_role(current_user, 'stock_owner', 'USAGE')
     AND EXISTS (SELECT FROM stock.horizon WHERE at IS NOT NULL) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% of stock.% is refused: the ledger is only ever appended to', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation',
          HINT = 'To take stock away, UPDATE or DELETE rows of stock.level.';
END
$$;
-- +migrate StatementEnd

-- ... which may remove the beginning of a key's movements up to one that was committed behind the horizon. That one
-- stays. What only explained the others goes with them.
-- +migrate StatementBegin
CREATE FUNCTION stock.check_pruning() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
BEGIN
  SELECT gone.* INTO wrong
  FROM (SELECT sku, location, max(version) AS newest FROM old_rows GROUP BY sku, location) gone
  WHERE NOT EXISTS (
          SELECT FROM stock.movement m, stock.horizon h
          WHERE m.sku = gone.sku AND m.location = gone.location AND m.version = gone.newest + 1
            AND stock.committed_at(m.xmin, m.xid, m.at) <= h.at)
     OR EXISTS (
          SELECT FROM stock.movement m
          WHERE m.sku = gone.sku AND m.location = gone.location AND m.version < gone.newest)
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'DELETE of movement % of (%, %) is refused: it is not among the first, or what followed is not '
      'behind the horizon', wrong.newest, wrong.sku, wrong.location
      USING ERRCODE = 'integrity_constraint_violation', HINT = 'stockctl prune removes what may go.';
  END IF;
  UPDATE stock.horizon
  SET movement_xid = greatest(movement_xid, (SELECT xid FROM old_rows ORDER BY xid DESC LIMIT 1));
  DELETE FROM stock.commit c
  WHERE c.xid IN (SELECT xid FROM old_rows)
    AND NOT EXISTS (SELECT FROM stock.movement m WHERE m.xid = c.xid);
  RETURN NULL;
END
$$;
-- +migrate StatementEnd
DROP TRIGGER refuse_rewriting ON stock.movement;
CREATE TRIGGER refuse_rewriting BEFORE UPDATE OR DELETE OR TRUNCATE ON stock.movement
  FOR EACH STATEMENT EXECUTE FUNCTION stock.refuse_rewriting();
CREATE TRIGGER check_pruning AFTER DELETE ON stock.movement
  REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION stock.check_pruning();
ALTER TABLE stock.movement ENABLE ALWAYS TRIGGER refuse_rewriting;
ALTER TABLE stock.movement ENABLE ALWAYS TRIGGER check_pruning;

-- Requests that were answered, and reservations that are closed, behind the horizon. A reservation is dated a little
-- before its last movement, which is behind the horizon too if that is a minute away: no write takes so long.
-- +migrate StatementBegin
CREATE FUNCTION stock.check_forgetting() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  behind boolean;
BEGIN
  IF NOT EXISTS (SELECT FROM old_rows) THEN
    RETURN NULL;
  END IF;
  IF TG_TABLE_NAME = 'request' THEN
    SELECT bool_and(r.at <= h.at) INTO behind FROM old_rows r, stock.horizon h;
  ELSE
    SELECT bool_and(r.state IN ('FULFILLED', 'RELEASED', 'EXPIRED')
                    AND r.updated_at <= h.at - interval '1 minute')
    INTO behind FROM old_rows r, stock.horizon h;
  END IF;
  IF behind IS NOT TRUE THEN
    RAISE EXCEPTION 'DELETE of stock.% is refused: not all of them are over and behind the horizon', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', HINT = 'stockctl prune removes what may go.';
  END IF;
  UPDATE stock.horizon
  SET request_xid = greatest(request_xid, (SELECT xid FROM old_rows ORDER BY xid DESC LIMIT 1));
  RETURN NULL;
END
$$;
-- +migrate StatementEnd
CREATE TRIGGER check_forgetting AFTER DELETE ON stock.request
  REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION stock.check_forgetting();
CREATE TRIGGER check_forgetting AFTER DELETE ON stock.reservation
  REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION stock.check_forgetting();
ALTER TABLE stock.request ENABLE ALWAYS TRIGGER check_forgetting;
ALTER TABLE stock.reservation ENABLE ALWAYS TRIGGER check_forgetting;

GRANT SELECT ON stock.horizon TO stock_writer, stock_reader;

RESET ROLE;

-- As before, and of the horizon: movements that were pruned count as older than every snapshot too; of requests
-- that are pruned from now on, tokens still tell the id that they had.
-- +migrate StatementBegin
CREATE OR REPLACE FUNCTION stock.adopt_ledger() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  adopted bigint;
BEGIN
  LOCK TABLE stock.level, stock.movement, stock.request, stock.reservation, stock.heartbeat, stock.horizon
    IN ACCESS EXCLUSIVE MODE;
  UPDATE stock.horizon SET movement_xid = '3', request_xid = greatest(request_xid,
    (SELECT xid FROM stock.request ORDER BY xid DESC LIMIT 1),
    (SELECT xid FROM stock.reservation ORDER BY xid DESC LIMIT 1));
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
DROP TRIGGER check_forgetting ON stock.reservation;
DROP TRIGGER check_forgetting ON stock.request;
DROP TRIGGER check_pruning ON stock.movement;
DROP TRIGGER refuse_rewriting ON stock.movement;
CREATE TRIGGER refuse_rewriting BEFORE UPDATE OR DELETE OR TRUNCATE ON stock.movement
  FOR EACH STATEMENT EXECUTE FUNCTION stock.refuse();
ALTER TABLE stock.movement ENABLE ALWAYS TRIGGER refuse_rewriting;
DROP FUNCTION stock.check_forgetting();
DROP FUNCTION stock.check_pruning();
DROP FUNCTION stock.refuse_rewriting();
DROP FUNCTION stock.committed_at(xid, xid8, timestamptz);
DROP TABLE stock.horizon;
DROP FUNCTION stock.check_horizon();
RESET ROLE;
