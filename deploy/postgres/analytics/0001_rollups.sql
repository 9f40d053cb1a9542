-- What services/analytics keeps: units sold by SKU, location and hour. A schema and a role of its own, which sees nothing
-- of schema stock; it may be in any database.

-- +migrate Up

-- +migrate StatementBegin
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics') THEN
    CREATE ROLE analytics LOGIN;
  END IF;
END
$$;
-- +migrate StatementEnd

CREATE SCHEMA analytics AUTHORIZATION analytics;
SET ROLE analytics;

-- How far the stream of movements has been counted: one row, which is locked by whoever counts, and changes in the
-- transaction that counts.
CREATE TABLE analytics.position (
  one       boolean PRIMARY KEY DEFAULT true CHECK (one),
  revision  bigint NOT NULL DEFAULT 0,  -- counts the transactions
  token     text NOT NULL DEFAULT '',   -- by which the stream is resumed; empty: from the beginning
  watermark timestamptz                 -- all that was committed by then is counted; NULL: not known
);

-- The sales that have been counted, each once. (sku, location, version) is a movement's identity.
CREATE TABLE analytics.counted (
  sku          text COLLATE "C",
  location     text COLLATE "C",
  version      bigint,
  committed_at timestamptz NOT NULL,
  units        bigint NOT NULL,
  PRIMARY KEY (sku, location, version)
);

-- The rollups.
CREATE TABLE analytics.sold (
  sku      text COLLATE "C",
  location text COLLATE "C",
  hour     timestamptz,      -- its beginning
  units    bigint NOT NULL,
  told     bigint,           -- what was last testified; NULL: nothing
  PRIMARY KEY (sku, location, hour)
);
CREATE INDEX sold_untold ON analytics.sold (hour DESC) WHERE told IS DISTINCT FROM units;

RESET ROLE;

-- +migrate Down
DROP SCHEMA analytics CASCADE;
