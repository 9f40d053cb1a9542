-- A ledger that is loaded from a dump is noticed also where the dump was made of the same database.

-- +migrate Up
-- The table that the row was written in. One that is loaded from a dump is another table, and has no incarnation
-- until it is adopted, whatever was dumped of stock.incarnation.
ALTER TABLE stock.ledger ADD COLUMN relation oid;
UPDATE stock.ledger SET relation = tableoid;
ALTER TABLE stock.ledger ALTER COLUMN relation SET NOT NULL;

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
      database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()),
      relation = tableoid;
  RETURN adopted;
END
$$;
-- +migrate StatementEnd

-- +migrate Down
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

ALTER TABLE stock.ledger DROP COLUMN relation;
