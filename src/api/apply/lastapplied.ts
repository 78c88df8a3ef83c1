/**
 * From client-side to server-side apply with kubectl: what its annotation says was applied on the client may be taken over,
 * and the annotation follows what is applied now. Pure.
 */
import { isMap, type JsonMap, ownValue, parseJson } from '../patch/json.js';
import { compare } from './compare.js';
import { fieldsOf, misfitsOf } from './configuration.js';
import {
  difference,
  type Fields,
  FieldsError,
  goJson,
  isSubset,
  pathsOf,
  singleField,
  union,
} from './fields.js';
import type { StructShape } from './shape.js';
import type { Conflict } from './track.js';

const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
const maxAnnotationBytes = 256 * 1024;

const annotationsOf = (object: object): JsonMap | undefined => {
  const { metadata } = object as { metadata?: { annotations?: unknown } };
  const annotations = metadata?.annotations;
  return isMap(annotations) ? annotations : undefined;
};

/** The fields that were applied on the client and are still as applied; `undefined` where that cannot be told. */
export function allowedByLastApplied(
  shape: StructShape,
  live: object,
  apiVersion: string,
): Fields | undefined {
  const text = ownValue(annotationsOf(live) ?? {}, annotation);
  if (typeof text !== 'string' || text === '') return undefined;
  const last = parseJson(text);
  if (!isMap(last) || ownValue(last, 'apiVersion') !== apiVersion || misfitsOf(shape, last).length > 0)
    return undefined;
  try {
    const { written, removed } = compare(shape, last, live);
    return difference(difference(fieldsOf(shape, last), written), removed);
  } catch (error) {
    if (error instanceof FieldsError) return undefined;
    throw error;
  }
}

/** What is left to complain about: all of it, field by field, unless every field may be taken over. */
export function withoutAllowed(conflicts: readonly Conflict[], allowed: Fields): Conflict[] {
  return conflicts.flatMap(({ entry, fields }) => {
    const left = pathsOf(fields).filter((path) => !isSubset(singleField(path), allowed));
    return left.length === 0 ? [] : [{ entry, fields: left.map(singleField).reduce((a, b) => union(a, b)) }];
  });
}

/** The object with the annotation of what is applied now, if it has one; `undefined` if it has none. */
export function withLastApplied(object: object, config: object): object | undefined {
  const annotations = annotationsOf(object);
  if (!annotations || !ownValue(annotations, annotation)) return undefined;
  const next: JsonMap = { ...annotations, [annotation]: configurationText(config) };
  const bytes = Object.entries(next).reduce(
    (sum, [key, value]) => sum + key.length + String(value).length,
    0,
  );
  if (bytes > maxAnnotationBytes) delete next[annotation];
  const { metadata } = object as { metadata: object };
  return { ...object, metadata: { ...metadata, annotations: next } };
}

/** As kubectl would write it: sorted, without the annotation itself, with a line end. */
function configurationText(config: object): string {
  const { metadata } = config as { metadata?: unknown };
  const annotations = annotationsOf(config);
  if (!isMap(metadata) || !annotations) return `${goJson(sorted(config))}\n`;
  const { [annotation]: _own, ...others } = annotations;
  return `${goJson(sorted({ ...config, metadata: { ...metadata, annotations: others } }))}\n`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}
