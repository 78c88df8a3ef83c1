/**
 * 2. Between the versions of a custom kind: None only says another apiVersion, a webhook is asked for the rest.
 */
import { internalError } from '../../../src/api/errors.js';
import { isMap } from '../../../src/api/patch/json.js';
import type { KubeObject } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';

/** Asks somebody for the same objects in another version, in their order. Rejects with any `Error`. */
export type AskConversion = (
  objects: readonly KubeObject[],
  desiredApiVersion: string,
) => Promise<readonly unknown[]>;

export type Convert = (
  objects: readonly KubeObject[],
  apiVersion: string,
) => readonly KubeObject[] | Promise<readonly KubeObject[]>;

export const convertNone: Convert = (objects, apiVersion) =>
  objects.map((object) => (object.apiVersion === apiVersion ? object : { ...object, apiVersion }));

/** Objects that are in the version already are not sent. Rejects with 500 in the words of kube-apiserver. */
export const convertByWebhook =
  (ask: AskConversion): Convert =>
  async (objects, apiVersion) => {
    const sent = objects.filter((object) => object.apiVersion !== apiVersion);
    const [first] = sent;
    if (!first) return objects;
    const subject = `conversion webhook for ${kindText(first)}`;
    const fail = (what: string): never => {
      throw internalError(new Error(`${subject} ${what}`));
    };
    const answers = await ask(sent, apiVersion).catch((error: unknown) =>
      fail(`failed: ${error instanceof Error ? error.message : String(error)}`),
    );
    if (answers.length !== sent.length) fail(`returned ${answers.length} objects, expected ${sent.length}`);
    const converted = answers.map((answer, index) => {
      const original = sent[index] ?? first;
      const problem = problemOf(original, answer, apiVersion, index);
      if (problem) fail(`returned ${problem}`);
      return restored(original, answer as KubeObject);
    });
    const next = converted.values();
    return objects.map((object) =>
      object.apiVersion === apiVersion ? object : (next.next().value ?? object),
    );
  };

const kindText = ({ apiVersion = '', kind = '' }: KubeObject): string => `${apiVersion}, Kind=${kind}`;

function problemOf(
  original: KubeObject,
  answer: unknown,
  apiVersion: string,
  index: number,
): string | undefined {
  const head = `invalid converted object at index ${index}`;
  if (typeof answer !== 'object' || answer === null) return `${head}: invalid type`;
  const { apiVersion: version, kind, metadata } = answer as Partial<KubeObject>;
  if (version !== apiVersion)
    return `${head}: invalid groupVersion (expected ${apiVersion}, received ${version ?? ''})`;
  if (kind !== original.kind)
    return `${head}: invalid kind (expected ${original.kind}, received ${kind ?? ''})`;
  if (typeof metadata !== 'object' || metadata === null)
    return `invalid metadata in object at index ${index}: missing metadata in converted object`;
  for (const name of ['labels', 'annotations'] as const)
    if (!isTexts(metadata[name]))
      return `invalid metadata in object at index ${index}: ${name} is no map of strings`;
  for (const [name, text] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    if ((metadata[name] ?? '') !== (original.metadata[name] ?? ''))
      return `${head}: must have the same ${text}: ${original.metadata[name] ?? ''} != ${metadata[name] ?? ''}`;
  }
  return undefined;
}

/** A list with anything else in it is read by no client. */
const isTexts = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (isMap(value) && Object.values(value).every((text) => typeof text === 'string'));

/** Of metadata a webhook may change labels and annotations, and nothing else. */
function restored(original: KubeObject, answer: KubeObject): KubeObject {
  const { labels, annotations } = answer.metadata;
  const { labels: _labels, annotations: _annotations, ...kept } = original.metadata;
  const metadata = { ...kept, ...(labels && { labels }), ...(annotations && { annotations }) };
  return {
    ...answer,
    metadata: isSameJson(metadata, original.metadata) ? original.metadata : metadata,
  };
}
