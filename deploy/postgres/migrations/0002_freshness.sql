-- When a version became true, and which ledger this is.

-- +migrate Up
SET ROLE stock_owner;

-- One row: who this ledger is, and the database that its transaction ids belong to. A ledger that was
-- loaded from a dump finds itself elsewhere: its ids are foreign, until stock.adopt_ledger() has been called.
CREATE TABLE stock.ledger (
  id                bigint NOT NULL,
  system_identifier bigint NOT NULL,
  database          oid NOT NULL,
  one               boolean PRIMARY KEY DEFAULT true CHECK (one)
);

-- When the transactions that moved stock became true: somewhere between the instant of the commit, and
-- a reading of the clock after a snapshot that showed it. Kept because VACUUM forgets commit timestamps.
CREATE TABLE stock.commit (
  xid          xid8 PRIMARY KEY,
  committed_at timestamptz NOT NULL,
  seen_by      timestamptz NOT NULL
);

-- The transaction that applied a request: what a token of it has to be shown.
ALTER TABLE stock.request ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();

-- A level's row is dated by the transaction that wrote it, which is that of its movement: so what brings
-- no movement does not write.
-- +migrate StatementBegin
CREATE FUNCTION stock.leave_as_it_is() RETURNS trigger
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

-- +migrate StatementBegin
DO $$
BEGIN
  INSERT INTO stock.ledger (id, system_identifier, database)
  SELECT ('x' || encode(substr(uuid_send(gen_random_uuid()), 1, 8), 'hex'))::bit(64)::bigint & 9223372036854775807,
         (SELECT system_identifier FROM pg_control_system()),
         (SELECT oid FROM pg_database WHERE datname = current_database());
END
$$;
-- +migrate StatementEnd

-- Makes the transaction ids of a ledger that was loaded from a dump ours: its movements count as older
-- than every snapshot, and a new incarnation begins. For the owner and superusers, while no stockd runs.
-- +migrate StatementBegin
CREATE FUNCTION stock.adopt_ledger() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  adopted bigint;
BEGIN
  LOCK TABLE stock.level, stock.movement, stock.request, stock.heartbeat IN ACCESS EXCLUSIVE MODE;
  ALTER TABLE stock.movement DISABLE TRIGGER refuse_rewriting;
  -- 3 is the first id that PostgreSQL gives out: below every snapshot there is.
  UPDATE stock.movement SET xid = '3' WHERE xid <> '3';
  GET DIAGNOSTICS adopted = ROW_COUNT;
  ALTER TABLE stock.movement ENABLE ALWAYS TRIGGER refuse_rewriting;
  UPDATE stock.request SET xid = '3' WHERE xid <> '3';
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
ALTER FUNCTION stock.adopt_ledger() OWNER TO stock_owner;
REVOKE ALL ON FUNCTION stock.adopt_ledger() FROM PUBLIC;

GRANT SELECT ON stock.ledger, stock.commit TO stock_writer, stock_reader;
GRANT INSERT ON stock.commit TO stock_writer;

-- +migrate Down
SET ROLE stock_owner;
DROP FUNCTION stock.adopt_ledger();
DROP TRIGGER leave_as_it_is ON stock.level;
DROP FUNCTION stock.leave_as_it_is();
ALTER TABLE stock.request DROP COLUMN xid;
DROP TABLE stock.commit;
DROP TABLE stock.ledger;
RESET ROLE;
