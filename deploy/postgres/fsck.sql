-- The ledger's invariants. Each check is a query that returns what contradicts it: what it is about, and a sentence.
-- No rows at all are a sound ledger. `stockctl fsck` has this file built in, and runs it in one snapshot; by hand:
--
--   psql "$DATABASE_URL" -c 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' -f deploy/postgres/fsck.sql
--
-- A check begins with `-- check NAME: what is to be so` and ends with the next one. Where a row says more, that is
-- what a level has to be: stockctl can make it so.

-- check guards_are_on: the triggers of the ledger are there, and fire always
SELECT format('trigger %s on stock.%s', name, relation) AS subject,
       CASE WHEN tgenabled IS NULL THEN 'is not there' ELSE 'is not enabled always' END AS says
FROM (VALUES
  ('level', 'record_direct_inserts'), ('level', 'record_direct_updates'), ('level', 'record_direct_deletes'),
  ('level', 'check_locations'), ('level', 'leave_as_it_is'), ('level', 'refuse_truncate'),
  ('movement', 'check_movements'), ('movement', 'refuse_rewriting'), ('movement', 'check_pruning'),
  ('request', 'check_forgetting'), ('reservation', 'check_forgetting'), ('reservation', 'refuse_truncate'),
  ('horizon', 'check_horizon'), ('horizon', 'refuse_removal')) AS expected (relation, name)
LEFT JOIN pg_trigger ON tgname = name AND tgrelid = format('stock.%I', relation)::regclass
WHERE tgenabled IS DISTINCT FROM 'A'
UNION ALL
SELECT 'foreign key level_location_fkey', format('does not fire %s', expected.call)
FROM (VALUES ('RI_FKey_check_upd'), ('RI_FKey_noaction_upd'), ('RI_FKey_noaction_del')) AS expected (call)
LEFT JOIN pg_constraint ON conrelid = 'stock.level'::regclass AND conname = 'level_location_fkey'
LEFT JOIN pg_trigger ON tgconstraint = pg_constraint.oid AND tgfoid = format('%I', call)::regproc
WHERE tgenabled IS NULL OR tgenabled NOT IN ('O', 'A');

-- check rights_are_not_lent: what runs with the rights of the ledger's owner is not for everybody's triggers
SELECT format('function stock.%s', proname) AS subject, 'may be called by everybody, with the rights of its owner' AS says
FROM pg_proc
WHERE pronamespace = 'stock'::regnamespace AND prosecdef AND has_function_privilege('public', oid, 'EXECUTE');

-- check available_is_computed: what is available is stored nowhere
SELECT format('column %s of stock.%s', attname, relname) AS subject, 'stores what is to be computed' AS says
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'stock'::regnamespace AND relkind IN ('r', 'p', 'm') AND attname = 'available';

-- check levels_have_locations: the location of each level is there
SELECT format('location %s', location) AS subject, format('is not there, and named by %s levels', count(*)) AS says
FROM stock.level WHERE NOT EXISTS (SELECT FROM stock.location WHERE id = level.location)
GROUP BY location;

-- check level_is_newest_movement: each level is what its newest movement left, and has one that is no tombstone
SELECT format('%s @ %s', sku, location) AS subject,
       CASE
         WHEN movement.version IS NULL THEN format('has a level of version %s and no movement', level.version)
         WHEN level.version IS NULL THEN format('has no level, but movement %s left one', movement.version)
         WHEN movement.deleted THEN format('has a level of version %s, but movement %s removed it',
                                           level.version, movement.version)
         WHEN level.version <> movement.version THEN format('is at version %s, but its newest movement is %s',
                                                            level.version, movement.version)
         ELSE format('is %s, but movement %s left %s', level.counts, movement.version, movement.counts)
       END AS says
FROM (SELECT sku::text, location::text, version,
             ROW(on_hand::bigint, reserved::bigint, committed::bigint, safety_stock::bigint,
                 backorder_limit::bigint) AS counts
      FROM stock.level) AS level
FULL JOIN (
  SELECT DISTINCT ON (sku, location) sku, location, version, deleted,
         ROW(on_hand, reserved, committed, safety_stock, backorder_limit) AS counts
  FROM stock.movement ORDER BY sku DESC, location DESC, version DESC) AS movement USING (sku, location)
WHERE CASE WHEN level.version IS NULL THEN NOT movement.deleted
           ELSE movement.version IS NULL OR movement.deleted OR level.version <> movement.version
                OR level.counts <> movement.counts END;

-- check versions_are_contiguous: the versions of each key have no gaps, and begin with 1 or behind the horizon
SELECT format('%s @ %s', sku, location) AS subject,
       CASE WHEN before IS NOT NULL THEN format('has movement %s and then %s', before, version)
            ELSE format('begins with movement %s, which is not behind the horizon', version) END AS says
FROM (SELECT sku, location, version, at, lag(version) OVER key AS before
      FROM stock.movement WINDOW key AS (PARTITION BY sku, location ORDER BY version)) AS movement
WHERE CASE WHEN before IS NOT NULL THEN version <> before + 1
           ELSE version <> 1 AND NOT coalesce(at <= (SELECT horizon.at FROM stock.horizon), false) END;

-- check counts_follow: the counts after a movement are those before it, and what it changed
SELECT format('%s @ %s', sku, location) AS subject,
       format('movement %s left %s, where the one before and its changes make %s', version,
              ROW(on_hand, reserved, committed, safety_stock, backorder_limit),
              ROW(on_hand_before + on_hand_delta, reserved_before + reserved_delta,
                  committed_before + committed_delta, safety_stock_before + safety_stock_delta,
                  backorder_limit_before + backorder_limit_delta)) AS says
FROM (SELECT *, coalesce(lag(version) OVER key, 0) AS before,
             coalesce(lag(on_hand) OVER key, 0) AS on_hand_before,
             coalesce(lag(reserved) OVER key, 0) AS reserved_before,
             coalesce(lag(committed) OVER key, 0) AS committed_before,
             coalesce(lag(safety_stock) OVER key, 0) AS safety_stock_before,
             coalesce(lag(backorder_limit) OVER key, 0) AS backorder_limit_before
      FROM stock.movement WINDOW key AS (PARTITION BY sku, location ORDER BY version)) AS movement
WHERE version = before + 1
  AND (on_hand <> on_hand_before + on_hand_delta OR reserved <> reserved_before + reserved_delta
       OR committed <> committed_before + committed_delta
       OR safety_stock <> safety_stock_before + safety_stock_delta
       OR backorder_limit <> backorder_limit_before + backorder_limit_delta);

-- check reservations_explain_counts: what is reserved and committed is what live holds and open sales say
SELECT format('%s @ %s', sku, location) AS subject,
       CASE WHEN level.version IS NULL
            THEN format('has no level, but its reservations hold %s and have sold %s',
                        explained.reserved, explained.committed)
            ELSE format('has %s reserved and %s committed, where its reservations hold %s and have sold %s',
                        level.reserved, level.committed, coalesce(explained.reserved, 0),
                        coalesce(explained.committed, 0)) END AS says,
       CASE WHEN level.version IS NOT NULL THEN sku END AS sku, location,
       coalesce(explained.reserved, 0) AS reserved, coalesce(explained.committed, 0) AS committed,
       explained.ends AS earliest_expire_at
FROM (SELECT sku::text, location::text, version, reserved, committed FROM stock.level) AS level
FULL JOIN (
  SELECT line.sku COLLATE "C" AS sku, line.location COLLATE "C" AS location,
         coalesce(sum(quantity) FILTER (WHERE state = 'HELD'), 0) AS reserved,
         coalesce(sum(greatest(quantity - shipped, 0)) FILTER (WHERE state = 'COMMITTED'), 0) AS committed,
         min(expire_at) FILTER (WHERE state = 'HELD') AS ends
  FROM (SELECT * FROM stock.reservation WHERE state IN ('HELD', 'COMMITTED')) AS live
  CROSS JOIN LATERAL unnest(skus, locations, quantities, fulfilled, expired)
    AS line (sku, location, quantity, shipped, is_over)
  WHERE state = 'COMMITTED' OR NOT is_over
  GROUP BY 1, 2) AS explained USING (sku, location)
WHERE (coalesce(level.reserved, 0), coalesce(level.committed, 0))
   <> (coalesce(explained.reserved, 0), coalesce(explained.committed, 0));

-- check ends_of_holds_are_known: no live hold on a level ends before the level's earliest_expire_at
SELECT format('%s @ %s', level.sku, level.location) AS subject,
       format('expects the end of a hold %s, but reservation %s ends at %s',
              coalesce('at ' || earliest_expire_at, 'never'), hold.id, hold.expire_at) AS says
FROM (
  SELECT DISTINCT ON (1, 2) line.sku COLLATE "C" AS sku, line.location COLLATE "C" AS location, id, expire_at
  FROM (SELECT * FROM stock.reservation WHERE state = 'HELD') AS held
  CROSS JOIN LATERAL unnest(skus, locations, expired) AS line (sku, location, is_over)
  WHERE NOT is_over
  ORDER BY 1, 2, expire_at) AS hold
JOIN stock.level USING (sku, location)
WHERE earliest_expire_at IS NULL OR earliest_expire_at > hold.expire_at;

-- check ends_of_holds_are_recorded: each level's earliest_expire_at is what its newest movement says, if it knows
SELECT format('%s @ %s', sku, location) AS subject,
       format('expects the end of a hold %s, but movement %s at %s', coalesce('at ' || level.earliest_expire_at, 'never'),
              version, movement.earliest_expire_at) AS says
FROM stock.level JOIN stock.movement USING (sku, location, version)
WHERE movement.earliest_expire_at IS DISTINCT FROM level.earliest_expire_at
  AND movement.earliest_expire_at IS NOT NULL;

-- check reservations_are_sound: lines are distinct and in order, and what became of them fits the state
SELECT format('reservation %s', id) AS subject,
       CASE
         WHEN unsorted THEN 'has lines that are not in order of key, or twice'
         WHEN overfulfilled THEN 'has a line of which more is fulfilled than there is'
         WHEN state = 'FULFILLED' THEN 'is FULFILLED, but not all its lines are'
         WHEN state = 'EXPIRED' AND NOT all_expired THEN 'is EXPIRED, but not all its lines are'
         WHEN state = 'COMMITTED' AND all_fulfilled THEN 'is COMMITTED, but all its lines are fulfilled'
         WHEN state IN ('COMMITTED', 'RELEASED', 'FULFILLED') THEN format('is %s, but a line has expired', state)
         ELSE format('is %s, but a line is fulfilled', state)
       END AS says
FROM (
  SELECT id, state,
         quantities = fulfilled AS all_fulfilled,
         true = ALL (expired) AS all_expired, true = ANY (expired) AS any_expired,
         0 < ANY (fulfilled) AS any_fulfilled,
         EXISTS (SELECT FROM unnest(quantities, fulfilled) AS line (quantity, shipped)
                 WHERE shipped > quantity) AS overfulfilled,
         EXISTS (SELECT FROM generate_series(2, cardinality(skus)) AS i
                 WHERE (skus[i - 1] COLLATE "C", locations[i - 1] COLLATE "C")
                    >= (skus[i] COLLATE "C", locations[i] COLLATE "C")) AS unsorted
  FROM stock.reservation) AS reservation
WHERE unsorted OR overfulfilled
   OR CASE state
        WHEN 'FULFILLED' THEN NOT all_fulfilled OR any_expired
        WHEN 'EXPIRED' THEN NOT all_expired OR any_fulfilled
        WHEN 'COMMITTED' THEN all_fulfilled OR any_expired
        WHEN 'RELEASED' THEN any_expired
        ELSE any_fulfilled END;

-- check movements_name_reservations: movements of a reservation name one that there is, unless both are pruned soon
SELECT format('%s @ %s', sku, location) AS subject,
       CASE WHEN movement.reservation IS NULL
            THEN format('movement %s (%s) names no reservation', version, kind)
            WHEN reservation.id IS NOT NULL
            THEN format('movement %s (%s) names reservation %s, which it cannot be of', version, kind,
                        movement.reservation)
            ELSE format('movement %s (%s) names reservation %s, which is not there', version, kind,
                        movement.reservation) END AS says
FROM stock.movement AS movement LEFT JOIN stock.reservation ON reservation.id = movement.reservation
WHERE (kind IN ('RESERVE', 'UPDATE', 'COMMIT', 'RELEASE', 'EXPIRE', 'FULFILL'))
      <> (movement.reservation IS NOT NULL)
   OR (movement.reservation IS NOT NULL AND reservation.id IS NULL
       AND NOT coalesce(at <= (SELECT horizon.at FROM stock.horizon), false));

-- check requests_have_movements: the movements that a request is answered with are there, and its own
SELECT format('request %s', request.id) AS subject,
       CASE WHEN movement.version IS NULL
            THEN format('made movement %s of %s @ %s, which is not there', moved.version, moved.sku, moved.location)
            ELSE format('claims movement %s of %s @ %s, which %s made', moved.version, moved.sku, moved.location,
                        coalesce('request ' || movement.request, 'no request')) END AS says
FROM stock.request
CROSS JOIN LATERAL unnest(skus, locations, versions) AS moved (sku, location, version)
LEFT JOIN stock.movement ON movement.sku = moved.sku AND movement.location = moved.location
                        AND movement.version = moved.version
WHERE movement.version IS NULL OR movement.request IS DISTINCT FROM request.id;

-- check commits_are_seen_later: no transaction was seen by everybody before it was committed
SELECT format('transaction %s', xid) AS subject,
       format('was committed at %s and seen by %s', committed_at, seen_by) AS says
FROM stock.commit WHERE committed_at > seen_by;

-- check transactions_are_ours: what a snapshot of this database shows carries a transaction id that it shows
SELECT format('transaction %s', xid) AS subject,
       format('wrote %s rows of stock.%s, but has not been here: was the ledger restored from a dump? Then stockctl '
              'ledger adopt makes it this database''s own', count(*), relation) AS says
FROM (SELECT xid, 'movement' AS relation FROM stock.movement
      UNION ALL SELECT xid, 'request' FROM stock.request
      UNION ALL SELECT xid, 'reservation' FROM stock.reservation) AS written
CROSS JOIN (SELECT pg_current_snapshot() AS snapshot OFFSET 0) AS now
WHERE NOT pg_visible_in_snapshot(xid, snapshot)
GROUP BY xid, relation;
