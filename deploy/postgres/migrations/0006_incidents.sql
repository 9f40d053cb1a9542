-- What the auditor found, and what it judges by.

-- +migrate Up
SET ROLE stock_owner;

-- The first heartbeat that shows the transaction: a copy that claims to have seen that heartbeat, and not the
-- transaction, lies. NULL: of before this was recorded.
ALTER TABLE stock.commit ADD COLUMN heartbeat bigint;

-- Divergences, from their first sighting until nobody tells them any more. Written by one process at a time, under an
-- advisory lock, so that revisions become visible in their order.
CREATE TABLE stock.incident (
  id              bigint PRIMARY KEY,
  revision        bigint NOT NULL UNIQUE,        -- of the last change
  layer           text NOT NULL,                 -- the first sighting, as it was: of whom, what, on which key,
  verdict         text NOT NULL,
  sku             text NOT NULL,
  location        text NOT NULL,
  claim_exists    boolean NOT NULL,              -- what was said; counts and dates are whatever a liar says
  claim_version   bigint NOT NULL,
  claim_counts    bigint[] NOT NULL,             -- on hand, reserved, committed, safety stock, backorder limit
  claim_as_of     bigint NOT NULL,               -- microseconds since the epoch
  claim_true_through bigint NOT NULL,
  asked_after     timestamptz NOT NULL,
  asked_before    timestamptz NOT NULL,
  units           bigint NOT NULL,               -- and what the ledger said of it
  versions        bigint NOT NULL,
  behind          interval NOT NULL,
  true_from       timestamptz,
  true_until      timestamptz,
  superseded_by   bigint NOT NULL,
  truth_exists    boolean NOT NULL,
  truth_version   bigint NOT NULL,
  truth_counts    bigint[] NOT NULL,
  witnesses       text[] NOT NULL,               -- all who ever told it
  standing        text[] NOT NULL,               -- those who still do, and of which keys
  standing_sku    text[] NOT NULL,
  standing_location text[] NOT NULL,
  keys            bigint NOT NULL,
  grouped         boolean NOT NULL,              -- it stands for all of this layer and verdict
  opened_at       timestamptz NOT NULL,
  last_seen_at    timestamptz NOT NULL,
  closed_at       timestamptz,
  merged_into     bigint NOT NULL                -- 0, or the incident that tells of it too
);
CREATE INDEX ON stock.incident (id) WHERE closed_at IS NULL;
CREATE SEQUENCE stock.incident_id OWNED BY stock.incident.id;
CREATE SEQUENCE stock.incident_revision OWNED BY stock.incident.revision;
GRANT SELECT ON stock.incident TO stock_writer, stock_reader;
GRANT INSERT, UPDATE, DELETE ON stock.incident TO stock_writer;
GRANT USAGE ON stock.incident_id, stock.incident_revision TO stock_writer;

RESET ROLE;

-- +migrate Down
SET ROLE stock_owner;
DROP TABLE stock.incident;
ALTER TABLE stock.commit DROP COLUMN heartbeat;
RESET ROLE;
