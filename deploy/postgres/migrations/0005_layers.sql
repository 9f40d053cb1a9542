-- Switches of the layers: what an operator has set at run time, for every instance.

-- +migrate Up
SET ROLE stock_owner;

-- One row per layer inside the service, for good. Who changed what, when and why: of the last change of each setting.
CREATE TABLE stock.layer (
  name         text PRIMARY KEY,
  enabled      boolean NOT NULL DEFAULT true,
  switched_at  timestamptz,                 -- NULL: never
  switched_by  text NOT NULL DEFAULT '',
  switched_why text NOT NULL DEFAULT '',
  repair       text NOT NULL DEFAULT 'off' CHECK (repair IN ('off', 'drop', 'refresh')),
  repair_at    timestamptz,
  repair_by    text NOT NULL DEFAULT '',
  repair_why   text NOT NULL DEFAULT '',
  -- It is the ledger, of which the others hold copies; and nothing of a database is repaired by its readers.
  CHECK (name <> 'primary' OR enabled),
  CHECK (name IN ('memory', 'redis') OR repair = 'off')
);
INSERT INTO stock.layer (name) VALUES ('memory'), ('redis'), ('replica'), ('primary');
GRANT SELECT ON stock.layer TO stock_writer, stock_reader;
GRANT UPDATE ON stock.layer TO stock_writer;

RESET ROLE;

-- +migrate Down
SET ROLE stock_owner;
DROP TABLE stock.layer;
RESET ROLE;
