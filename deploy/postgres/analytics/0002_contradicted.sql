-- What the ledger contradicts is testified again, though it has not changed, for as long as that is so.

-- +migrate Up
SET ROLE analytics;
ALTER TABLE analytics.sold ADD COLUMN again_at timestamptz;  -- when; NULL: the ledger did not contradict it
CREATE INDEX sold_again ON analytics.sold (again_at) WHERE again_at IS NOT NULL;
RESET ROLE;

-- +migrate Down
DROP INDEX analytics.sold_again;
ALTER TABLE analytics.sold DROP COLUMN again_at;
