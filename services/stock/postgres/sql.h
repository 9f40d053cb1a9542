// All SQL of the service; its text is in the files beside. Parameters are numbered
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
// with 1, 2, 3..., and end with two NULLs. Just before these is, where it is named, the earliest
// expiry: the instant before which no hold of the level ends, or NULL.

// skus, locations -> position, exists, version, as_of, five counts, earliest expiry
const Statement& levels_of_keys(Role role);
// from location, to location, from SKU, to SKU, after location, after SKU, limit
//   -> position, exists, version, as_of, five counts, sku, location, earliest expiry
const Statement& level_page(Role role);
// after SKU, after location, limit
//   -> 1, exists, version, as_of, five counts, sku, location, earliest expiry: in no order
const Statement& level_walk(Role role);
// sku, location, below version, limit
//   -> position, version, committed at, five deltas, five counts, is deleted, kind, reason,
//      reference, actor, request
const Statement& movement_page(Role role);
// after, from, to, limit -> position, created at, five NULLs, id, display name
const Statement& location_page(Role role);
// id, uuid 0, "", "", "", limit; or uuid 0, after, state or "", sku and location or "", limit
//   -> a row for each line: position, six NULLs, and as reservations() below
const Statement& reservation_of(Role role);
const Statement& reservation_page(Role role);
// skus, locations, instant in microseconds since the epoch
//   -> position, exists, version, as_of, five counts, seen by, is in transition, NULL, horizon or
//      NULL, earliest expiry: of each key the newest version that was committed by then, unless
//      that is before the horizon
const Statement& levels_at(Role role);
// skus, locations, version
//   -> the same, but with when its successor was committed instead of NULL; of the keys that have
//      it, or had: then without a version
const Statement& levels_of_version(Role role);
// Nothing but the first row.
const Statement& pulse();
// skus, locations; and as many positions of keys, skus, locations and versions to look for
//   -> position of the key, is newest, version, exists, committed at, five counts, oldest version
//      that is kept if it is the newest, xid, seen by or NULL, first heartbeat that shows it or
//      NULL
const Statement& histories();
// skus, locations
//   -> position, exists, version, committed at, five counts, earliest expiry: of the newest version
//      of each key that has one
const Statement& newest_versions();
// -> the transactions under way that may have written a movement or a heartbeat
const Statement& writers();
// after SKU, after location, limit -> position, six NULLs, sku, location
const Statement& keys_after();

// id -> 1, seven NULLs, xid as text; no such row when the ledger does not hold the request. Once
//   any were pruned also: 2, seven NULLs, the greatest xid of those as text
const Statement& request_held();

// Feeding a tail.

// age in seconds -> number, five NULLs, incarnation; its snapshot in the last column: the oldest
//   heartbeat of this incarnation that is not older, or else the newest
const Statement& tail_beginning();
// snapshot, limit
//   -> 1, version, exists, as_of, five counts, sku, location, xid, earliest expiry; in order of key
//      and version; as many as the limit: any of them
const Statement& moves_since();
// The same without a limit, as a cursor named "moves". To be run unprepared, $1 replaced.
const Statement& all_moves_since();

// What became visible since a snapshot, for whoever was away; dated, of the primary.

// skus, locations, snapshot
//   -> position, exists, version, as_of, five counts, earliest expiry: the newest version of those
//      that the snapshot does not show
const Statement& keys_moved_since();
// snapshot, location, limit
//   -> 1, exists, version, as_of, five counts, sku, location, earliest expiry: the same of all keys
//      of a location, in order of SKU
const Statement& location_moved_since();
// The movements between two snapshots, in order of key and version. Snapshots, location or none,
// after SKU, location and version, limit; and how many rows to look at
//   -> position, version, committed at, five deltas, five counts, is deleted, kind, reason,
//      reference, actor, request, sku, location; the first row has, behind its own seven, the
//      greatest xid of which movements were pruned, or NULL
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

// skus, locations -> how many there are, and are locked now
const Statement& lock_levels();
// skus, locations -> position and transaction, of those that somebody else has locked. Waits for
// nobody, and is a transaction of its own.
const Statement& level_holders();
// What a row of open_books() tells of.
enum class Book { kFacts, kNoLevel, kLevel, kUnlocked };
// skus, locations, ids -> Book, position, version, five counts, flag, instant. First the facts: our
//   xid, incarnation and ledger in place of the version and the counts, whether any of the ids was
//   applied before, and the clock. For each key a level, with its earliest expiry, or none, with
//   its newest version or 0 and whether the location exists.
const Statement& open_books();
// ids -> id, digest in hexadecimal, sku, location, version, five counts, xid, flag: the requests
//   that there are, in order of id and key, one row with NULLs where a request moved nothing; and
//   the reservations, flagged
const Statement& applied_before();
// ids -> a row for each line: id, state, revision, created at, updated at, expires at, reference,
//   actor, sku, location, quantity, fulfilled, is expired
const Statement& reservations();
// skus, locations, instant, limit -> the same, of held reservations that have ended by then and
// still
//   hold units of these keys; in order of id
const Statement& due_holds();
// instant -> when the next hold ends
const Statement& next_expiry();
// skus, locations, versions, Effects, kinds, reasons, references, actors, requests or "",
//   reservations or "", earliest expiries or 0, five deltas, five counts; how many movements,
//   changed levels, and new levels that makes: or it fails. The first one is for where there are no
//   new ones.
const Statement& move();
const Statement& move_and_create();
// One movement of a level that is there, in as few parameters as can be, for each costs something.
//
// sku, location, kind, reason, reference, actor, request or "", reservation or ""; version,
//   earliest expiry or 0, five deltas, five counts
const Statement& move_one();
// ids, digests, arrays of skus, of locations and of versions
const Statement& remember();
// ids, states, revisions, updated at, expires at, arrays of skus, of locations, of quantities, of
//   fulfilled, of expired; digests, references, actors
const Statement& insert_reservations();
// A single one likewise:
// id, state, skus, locations, quantities, fulfilled, expired, digest, reference, actor; revision,
//   updated at, expires at
const Statement& insert_reservation();
// As insert_reservations(); how many that changes: or it fails
const Statement& update_reservations();
// xid -> when it was committed; NULL where the server does not keep that
const Statement& committed_at();
// ids
const Statement& lock_reservations();
// ids, skus, locations: those lines expire. After lock_reservations().
const Statement& expire_lines();

// What becomes of a level by one of its movements; those before the last one have none.
enum class Effect { kNone = 0, kUpdates = 1, kCreates = 2 };

// id, display name -> display name, created at; no row when somebody is just creating it
const Statement& create_location();

// limit, instant, id -> ends and ids of holds that have ended and are not closed, behind those; in
// this order
const Statement& ended_holds();
// limit -> how many holds there are, ended or not; no more than that
const Statement& count_holds();

// The settings of the layers:
// name, is enabled, switched at, by and why, repair policy, set at, by and why
//
// -> a row for each
const Statement& layer_settings();
// name, enabled or "", repair policy or "", who, why -> that layer's, as it is then
const Statement& change_layer();

// Incidents:
// id, revision, layer, verdict, sku, location, claim exists, version, five counts, as of and true
// through in microseconds; asked after and before, units, versions, behind in microseconds, true
// from and until or NULL, superseded by; truth exists, version, five counts; witnesses, standing
// witnesses, their skus and locations; keys, is a group, opened at, last seen at, closed at or
// NULL, merged into, the claim's extent
//
// lock; before the others in a transaction that writes
const Statement& lock_incidents();
// -> a row for each, oldest first
const Statement& open_incidents();
// -> the ledger's incarnation or NULL, revision or 0
const Statement& newest_incident();
// revision, limit -> a row for each, in the order of revisions
const Statement& incidents_changed_since();
// are they open, layer or "", verdict or "", SKU or "", below id or 0, limit -> newest first
const Statement& incident_page();
// from the layer on, in the order above, without what it is merged into; the claim's and the
// truth's counts are arrays, instants "" instead of NULL -> id, revision
const Statement& open_incident();
// id, and from the witnesses on, without when it was opened -> id, revision
const Statement& change_incident();
// age in milliseconds
const Statement& prune_incidents();

// Testimonies. Instants of witnesses and of the database alike are microseconds since the epoch.
//
// skus, locations, extents, existences, five arrays of counts, instants -> position; the newest
// version that was so and was made by then, or NULL; the newest that was so at all, or NULL, and
// then the oldest version that was looked at
const Statement& find_versions();
// skus, locations (or "": all), from, until, seen by -> position, units that were seen by then,
// units, does the window begin before the horizon
const Statement& sold_units();
// sku, location, instances of each witness -> as keep_testimonies() takes them
const Statement& testimonies_of();
// witnesses, instances, skus, locations, cohorts, extents, existences, five arrays of counts,
// versions, sold from, until; by the witness's clock: sent, believed since, true through, age; by
// the database's: arrived after and before, sent after and before, through after and before; skew,
// its uncertainty, incarnations, does it lie. NULL where there is none.
const Statement& keep_testimonies();
// rows of each witness that are kept -> witness, rows
const Statement& prune_testimonies();

// The process that leads.

// lock -> is it ours
const Statement& try_lead();
// incarnation: ended, if it is still the one; and so is one in which the clock has been set back.
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
