-- What witnesses outside the service believe.

-- +migrate Up
SET ROLE stock_owner;

-- The last testimony of each witness, instance, key, cohort and window, by its own date. Bounded: of each witness the
-- newest are kept.
CREATE TABLE stock.testimony (
  witness         text COLLATE "C" NOT NULL,
  instance        text COLLATE "C" NOT NULL,
  sku             text COLLATE "C" NOT NULL,
  location        text COLLATE "C" NOT NULL,     -- empty: all, of units sold
  cohort          text COLLATE "C" NOT NULL,
  extent          text NOT NULL CHECK (extent IN ('counts', 'available', 'in_stock', 'sold')),
  claim_exists    boolean NOT NULL,
  claim_counts    bigint[] NOT NULL,             -- on hand (or the only number that it knows), reserved, ...
  claim_version   bigint NOT NULL,               -- 0: none
  sold_from       bigint NOT NULL,               -- microseconds since the epoch, as all below; 0: not of units sold
  sold_until      bigint NOT NULL,
  sent_at         bigint,                        -- by the witness's own clock, as the next two
  believed_since  bigint,
  true_through    bigint,
  age             bigint,
  arrived_after   bigint NOT NULL,               -- by the database's clock, as the rest
  arrived_before  bigint NOT NULL,
  sent_after      bigint NOT NULL,
  sent_before     bigint NOT NULL,
  through_after   bigint,                        -- NULL: nobody can say
  through_before  bigint NOT NULL,
  skew            bigint,                        -- how far the witness's clock was ahead; NULL: not known
  skew_uncertainty bigint,
  incarnation     bigint NOT NULL,
  lies            boolean NOT NULL,              -- as it was judged when it came
  PRIMARY KEY (witness, instance, sku, location, cohort, sold_from)
);
CREATE INDEX ON stock.testimony (sku, witness, lies, sent_before);
CREATE INDEX ON stock.testimony (witness, sent_before);
GRANT SELECT ON stock.testimony TO stock_writer, stock_reader;
GRANT INSERT, UPDATE, DELETE ON stock.testimony TO stock_writer;

-- What the claim of an incident is about: all counts, or the only number that its witness knows.
ALTER TABLE stock.incident ADD COLUMN claim_extent text NOT NULL DEFAULT 'counts';

RESET ROLE;

-- +migrate Down
SET ROLE stock_owner;
DROP TABLE stock.testimony;
ALTER TABLE stock.incident DROP COLUMN claim_extent;
RESET ROLE;
