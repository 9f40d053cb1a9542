-- The rest of what a misdated copy says: without it nobody can tell afterwards what was false about it.

-- +migrate Up
SET ROLE stock_owner;
ALTER TABLE stock.incident
  ADD COLUMN claim_heartbeat bigint NOT NULL DEFAULT 0,
  ADD COLUMN claim_expiry bigint NOT NULL DEFAULT 0,         -- microseconds since the epoch
  ADD COLUMN false_date text NOT NULL DEFAULT '';            -- which of its dates was; empty: not misdated, or not recorded
RESET ROLE;

-- +migrate Down
SET ROLE stock_owner;
ALTER TABLE stock.incident
  DROP COLUMN claim_heartbeat,
  DROP COLUMN claim_expiry,
  DROP COLUMN false_date;
RESET ROLE;
