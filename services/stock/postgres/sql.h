// All SQL of the service; its text is in sql_reading.cc and sql_ledger.cc. Parameters are numbered
// as they are named here; all travel as text.
//
// Instants travel as whole microseconds since the epoch. Where several rows are named by
// parameters, each column is one array, and each row costs one index lookup, whatever the planner
// believes of the tables: LATERAL with LIMIT 1 leaves it no choice.
#pragma once

#include "stock/postgres/asker.h"
#include "stock/postgres/statement.h"

namespace stock::postgres::sql {

// Dated statements, for an Asker of that role. Their first row is (0, stamp, is standby, heartbeat,
// its stamp, its incarnation, the primary's incarnation, ..., clock, snapshot); the others begin
// with 1, 2, 3..., and end with two NULLs.

// skus, locations -> position, exists, version, as_of, five counts
const Statement& levels_of_keys(Role role);
// from location, to location, from SKU, to SKU, after location, after SKU, limit
//   -> position, exists, version, as_of, five counts, sku, location
const Statement& level_page(Role role);
// sku, location, below version, limit
//   -> position, version, committed at, five deltas, five counts, is deleted, kind, reason,
//      reference, actor, request
const Statement& movement_page(Role role);
// after, from, to, limit -> position, created at, five NULLs, id, display name
const Statement& location_page(Role role);
// skus, locations, instant in microseconds since the epoch
//   -> position, exists, version, as_of, five counts, seen by, is in transition, NULL: of each key
//      the newest version that was committed by then
const Statement& levels_at(Role role);
// skus, locations, version
//   -> the same, but with when its successor was committed at the end; of the keys that have it
const Statement& levels_of_version(Role role);
// Nothing but the first row.
const Statement& pulse();
// skus, locations; and as many positions of keys, skus, locations and versions to look for
//   -> position of the key, is newest, version, exists, committed at, five counts
const Statement& histories();
// after SKU, after location, limit -> position, six NULLs, sku, location
const Statement& keys_after();

// id -> 1, seven NULLs, xid as text; no row when the ledger does not hold the request
const Statement& request_held();

// Feeding a tail.

// age in seconds -> number, five NULLs, incarnation; its snapshot in the last column: the oldest
//   heartbeat of this incarnation that is not older
const Statement& tail_beginning();
// snapshot, limit -> 1, version, exists, as_of, five counts, sku, location, xid; in order of key
// and
//   version
const Statement& moves_since();
// The same without a limit, as a cursor named "moves". To be run unprepared, $1 replaced.
const Statement& all_moves_since();

// What became visible since a snapshot, for whoever was away; dated, of the primary.

// skus, locations, snapshot -> position, exists, version, as_of, five counts: the newest version of
//   those that the snapshot does not show
const Statement& keys_moved_since();
// snapshot, location, limit -> 1, exists, version, as_of, five counts, sku, location: the same of
//   all keys of a location, in order of SKU
const Statement& location_moved_since();
// The movements between two snapshots, in order of key and version. Snapshots, location or none,
// after SKU, location and version, limit; and how many rows to look at
//   -> position, version, committed at, five deltas, five counts, is deleted, kind, reason,
//      reference, actor, request, sku, location
// By transaction, for small deltas: `how many` is not to be less than there are.
const Statement& delta_by_xid();
// By key, for great ones. One row more, of position -1: the last version, SKU and location that was
// looked at, and in place of `committed at` how many rows were.
const Statement& delta_by_key();
// Not dated:
// snapshots, limit -> how many movements lie between them, at most the limit
const Statement& delta_size();
// snapshots, number -> the snapshot of that heartbeat of this incarnation between them; the first
// is 0
const Statement& heartbeat_between();
// incarnation -> its last heartbeat but one: the last one is the proof that all that it shows as
// begun had been written to the log
const Statement& last_heartbeat_of();

// Writing, within a transaction, in this order:

// skus, locations -> position, version, five counts; of those that exist
const Statement& lock_levels();
// skus, locations -> position, newest version or 0, does the location exist
const Statement& keys_without_level();
// ids -> id, digest in hexadecimal, sku, location, version, five counts, xid, incarnation, ledger;
//   in order of id and key; one row with NULLs where a request moved nothing
const Statement& remembered_requests();
// Movements: positions of their requests, skus, locations, versions, Effects, five deltas, five
//   counts.
// Requests: ids, digests, kinds, reasons, references, actors, arrays of skus, of locations and of
//   versions.
//   -> how many levels were updated, and how many created; xid, incarnation, ledger
const Statement& persist();

// What becomes of a level by one of its movements; those before the last one have none.
enum class Effect { kNone = 0, kUpdates = 1, kCreates = 2 };

// id, display name -> display name, created at; no row when somebody is just creating it
const Statement& create_location();

// The process that leads.

// lock -> is it ours
const Statement& try_lead();
// Ends the incarnation if the clock has been set back in it.
const Statement& end_incarnation();
// id
const Statement& begin_incarnation();
// -> number; no row while there is no incarnation, or one that has to end
const Statement& beat();
// age in seconds
const Statement& prune_heartbeats();

// -> the newest migration
const Statement& newest_migration();
// -> the ledger's id; are its transaction ids those of this database
const Statement& ledger();

}  // namespace stock::postgres::sql
