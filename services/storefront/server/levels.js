// Messages of the stock service as the plain values that the shop deals in. Instants are ms since 1970, of the database's
// clock; durations are ms.

const lower = (name, prefix) => name.slice(prefix.length).toLowerCase();

// A google.protobuf.Timestamp or Duration, or null.
export const milliseconds = (time) => (time ? Number(time.seconds) * 1000 + time.nanos / 1e6 : null);

// The reverse.
export function protobufTime(ms) {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) % 1e9 };
}

// `asked`: what the database's clock read when this was asked for, by which evaluations of flags are dated; null: nobody knows.
export function levelOf({ key, exists, counts, version, provenance, flagged }, asked = null) {
  return {
    sku: key.sku,
    exists,
    available: exists ? counts.available : 0,
    version,
    layer: lower(provenance.layer, 'LAYER_'),
    asOf: milliseconds(provenance.as_of),
    trueThrough: milliseconds(provenance.true_through),
    offer: offerOf(flagged, asked),
  };
}

// What a cohort is to see in place of the count; null: the count, there are no flags.
function offerOf(flagged, asked) {
  if (!flagged) return null;
  return {
    available: flagged.available,
    hidden: flagged.hidden,
    saleEnded: flagged.sale_ended,
    flags: flagged.evaluations.map((evaluation) => ({
      flag: evaluation.flag,
      effect: lower(evaluation.effect, 'FLAG_EFFECT_'),
      applies: evaluation.applies,
      cap: evaluation.cap,
      variant: evaluation.variant,
      reason: evaluation.reason,
      trueThrough: evaluation.age && asked !== null ? asked - milliseconds(evaluation.age) : null,
      unreachable: evaluation.unreachable,
    })),
  };
}

export function provenanceOf(provenance) {
  return {
    age: milliseconds(provenance.age),
    uncertainty: milliseconds(provenance.uncertainty),
    instance: provenance.instance,
    boundMissed: provenance.bound_missed,
    trail: provenance.trail.map(({ layer, outcome, keys, time, detail }) => ({
      layer: lower(layer, 'LAYER_'), outcome: lower(outcome, 'OUTCOME_'), keys, time: milliseconds(time), detail,
    })),
  };
}

export function reservationOf(reservation) {
  return {
    id: reservation.id,
    state: lower(reservation.state, 'RESERVATION_STATE_'),
    lines: reservation.lines.map(({ key, quantity }) => ({ sku: key.sku, quantity })),
    expireTime: milliseconds(reservation.expire_time),
    etag: reservation.etag,
  };
}
