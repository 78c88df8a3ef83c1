/**
 * `metadata.managedFields`: who owns which fields of an object. Pure.
 *
 * An owner is a manager with an operation and a subresource; an updating one with the version it wrote in, too.
 */
import { isMap } from '../patch/json.js';
import { isSame } from './compare.js';
import { decodeFields, encodeFields, type Fields, FieldsError, union } from './fields.js';

export interface Entry {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  /** As in JSON, whole seconds. */
  time: string | undefined;
  subresource: string | undefined;
  fields: Fields;
  /** The set as it was read from stored text, which is canonical. */
  stored?: Fields | undefined;
}

/** Who writes, and how. */
export type Owner = Pick<Entry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>;

/** Two entries with the same are the same owner. As Kubernetes writes it, since it also orders conflicts. */
export function ownerKey({ manager, operation, apiVersion, subresource }: Owner): string {
  return JSON.stringify({
    ...(manager && { manager }),
    operation,
    ...(operation === 'Update' && { apiVersion }),
    ...(subresource && { subresource }),
  });
}

export const isOwner = (entry: Owner, owner: Owner): boolean =>
  entry.manager === owner.manager &&
  entry.operation === owner.operation &&
  entry.subresource === owner.subresource &&
  (entry.operation === 'Apply' || entry.apiVersion === owner.apiVersion);

/** What was read last: objects that one manager made in one second have the same text. Shared, as nobody changes entries. */
const recent = new Map<string, readonly Entry[]>();
const maxRecent = 256;

/** The entries of stored text. */
export function readManaged(text: string | undefined): readonly Entry[] {
  if (text === undefined) return [];
  let entries = recent.get(text);
  if (!entries) {
    entries = (JSON.parse(text) as StoredEntry[]).map(fromStored);
    if (recent.size >= maxRecent) recent.clear();
    recent.set(text, entries);
  }
  return entries;
}

interface StoredEntry {
  manager?: string;
  operation: Entry['operation'];
  apiVersion: string;
  time?: string;
  fieldsV1?: Fields;
  subresource?: string;
}

const fromStored = ({ fieldsV1 = {}, ...entry }: StoredEntry): Entry => ({
  manager: entry.manager ?? '',
  operation: entry.operation,
  apiVersion: entry.apiVersion,
  time: entry.time,
  subresource: entry.subresource || undefined,
  fields: fieldsV1,
  stored: fieldsV1,
});

/**
 * The entries a client sent; later ones of the same owner win. Throws `FieldsError` for what cannot be read, in the words
 * of Kubernetes.
 */
export function decodeManaged(list: unknown): Entry[] {
  if (!Array.isArray(list)) throw new FieldsError('managedFields is no list');
  const entries = new Map<string, Entry>();
  list.forEach((item: unknown, i) => {
    const entry = decodeEntry(item, i);
    entries.set(ownerKey(entry), entry);
  });
  return [...entries.values()];
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

type Given = { [Name in keyof StoredEntry | 'fieldsType']?: unknown };

function decodeEntry(item: unknown, index: number): Entry {
  const given: Given = isMap(item) ? item : {};
  const operation = text(given.operation);
  const type = text(given.fieldsType);
  if (operation !== 'Apply' && operation !== 'Update')
    throw new FieldsError('operation must be `Apply` or `Update`');
  if (!text(given.apiVersion)) throw new FieldsError('apiVersion must not be empty');
  if (type === '') throw new FieldsError(`missing fieldsType in managed fields entry ${index}`);
  if (type !== 'FieldsV1')
    throw new FieldsError(`invalid fieldsType ${JSON.stringify(type)} in managed fields entry ${index}`);
  return {
    manager: text(given.manager),
    operation,
    apiVersion: text(given.apiVersion),
    time: text(given.time) || undefined,
    subresource: text(given.subresource) || undefined,
    fields: decodeFields(given.fieldsV1 ?? {}),
  };
}

/** A client asks to forget all owners: `[]` or `[{}]`. */
export const isReset = (list: unknown): boolean =>
  Array.isArray(list) && (list.length === 0 || (list.length === 1 && isSame(list[0], {})));

/** The text to store, sorted as Kubernetes sorts; `undefined` without entries. */
export function managedText(entries: readonly Entry[]): string | undefined {
  if (entries.length === 0) return undefined;
  const sorted = entries.length > 1 ? [...entries].sort(compareEntries) : entries;
  return `[${sorted.map((entry) => entryText(entry, fieldsText(entry))).join(',')}]`;
}

const fieldsText = ({ fields, stored }: Entry): string =>
  fields === stored ? JSON.stringify(fields) : encodeFields(fields);

/** One entry as JSON, its set as text already. */
export function entryText(entry: Omit<Entry, 'fields'>, fields: string): string {
  const time = entry.time === undefined ? '' : `,"time":"${entry.time}"`;
  const subresource = entry.subresource ? `,"subresource":${JSON.stringify(entry.subresource)}` : '';
  const manager = entry.manager ? `"manager":${JSON.stringify(entry.manager)},` : '';
  return (
    `{${manager}"operation":"${entry.operation}","apiVersion":${JSON.stringify(entry.apiVersion)}${time},` +
    `"fieldsType":"FieldsV1","fieldsV1":${fields}${subresource}}`
  );
}

function compareEntries(a: Entry, b: Entry): number {
  return (
    compareText(a.operation, b.operation) ||
    secondsOf(a) - secondsOf(b) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource ?? '', b.subresource ?? '')
  );
}

const compareText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

const secondsOf = ({ time }: Entry): number =>
  time === undefined ? 0 : Math.floor(Date.parse(time) / 1000) || 0;

const maxUpdaters = 10;
const bucketName = 'ancient-changes';

/** At most ten updating owners: the oldest of each version become one. */
export function capped(entries: readonly Entry[]): readonly Entry[] {
  const updaters = entries.filter(({ operation }) => operation === 'Update');
  if (updaters.length <= maxUpdaters) return entries;
  const byKey = new Map(entries.map((entry) => [ownerKey(entry), entry]));
  const oldest = updaters
    .map((entry) => ({ entry, key: ownerKey(entry) }))
    .sort((a, b) => secondsOf(a.entry) - secondsOf(b.entry) || compareText(a.key, b.key));
  const firsts = new Map<string, string>();
  let count = updaters.length;
  for (const { entry, key } of oldest) {
    if (count <= maxUpdaters) break;
    const first = firsts.get(entry.apiVersion);
    if (first === undefined) {
      firsts.set(entry.apiVersion, key);
      continue;
    }
    const owner = { manager: bucketName, operation: 'Update', apiVersion: entry.apiVersion } as const;
    const bucket = ownerKey({ ...owner, subresource: undefined });
    const into = byKey.get(bucket) ?? byKey.get(first);
    if (!byKey.has(bucket)) byKey.delete(first);
    byKey.delete(key);
    byKey.set(bucket, {
      ...owner,
      subresource: undefined,
      time: entry.time,
      fields: union(entry.fields, into?.fields ?? {}),
    });
    count--;
  }
  return [...byKey.values()];
}
