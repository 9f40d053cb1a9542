// What a request may hold. Each returns the value, or throws a BadRequest that names the field.

export class BadRequest extends Error {}

export function record(value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadRequest('not an object');
  return value;
}

export function list(value, field, least, most) {
  if (!Array.isArray(value) || value.length < least || value.length > most) {
    throw new BadRequest(`${field}: not a list of ${least} to ${most}`);
  }
  return value;
}

export function integer(value, field, least = 0, most = 253_402_300_799_999) {
  if (!Number.isSafeInteger(value) || value < least || value > most) throw new BadRequest(`${field}: not an integer of ${least} to ${most}`);
  return value;
}

export function shortText(value, field) {
  if (typeof value !== 'string' || !/^[\w.-]{1,64}$/.test(value)) throw new BadRequest(`${field}: not 1 to 64 letters, digits, - _ .`);
  return value;
}

export function uuid(value, field) {
  if (typeof value !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) throw new BadRequest(`${field}: not a UUID`);
  return value;
}
