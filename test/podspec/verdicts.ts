/**
 * What a verdict about a field of PodSpec is, and how the tables of this folder write them down.
 */
import type { Container, EphemeralContainer, PodSpec } from '../../src/api/types.js';
import type { Given, Plan } from './plan.js';

export type Verdict =
  /** With the field the plan shows this, without it it does not. */
  | {
      verdict: 'honoured';
      spec: Partial<PodSpec>;
      without?: Partial<PodSpec>;
      given?: Given;
      /** Without the field the pod waits. */
      isNeeded?: true;
      see: object | ((plan: Plan) => boolean);
    }
  /** Others look after it: each file has the field's name (or the word) in it. */
  | { verdict: 'tested'; files: readonly string[]; word?: string }
  /** The pod waits, with a message that names the field; docs/compatibility.md has the word. */
  | { verdict: 'refused'; spec: Partial<PodSpec>; given?: Given; message: RegExp; word?: string }
  /** The API does not take it here. */
  | { verdict: 'invalid'; container: Partial<EphemeralContainer>; message: RegExp }
  /** Accepted and without effect; docs/compatibility.md has the word. */
  | { verdict: 'listed'; word?: string };

export type Rows = readonly (readonly [path: string, verdict: Verdict])[];

export const seen = (
  spec: Partial<PodSpec>,
  see: object | ((plan: Plan) => boolean),
  more: { given?: Given; without?: Partial<PodSpec> } = {},
): Extract<Verdict, { verdict: 'honoured' }> => ({ verdict: 'honoured', spec, see, ...more });

/** The pod runs with the field only. */
export const needed = (
  spec: Partial<PodSpec>,
  without: Partial<PodSpec>,
  given: Given | undefined,
): Verdict => ({
  ...seen(spec, { refused: undefined }, { without, ...(given && { given }) }),
  isNeeded: true,
});

/** A copy without any `optional`, at any depth. */
export const withoutOptional = <T>(value: T): T =>
  JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key === 'optional' ? undefined : inner)));

export const tested = (files: string | readonly string[], word?: string): Verdict => ({
  verdict: 'tested',
  files: typeof files === 'string' ? [files] : files,
  ...(word !== undefined && { word }),
});

export const refused = (
  spec: Partial<PodSpec>,
  message: RegExp,
  more: { given?: Given | undefined; word?: string | undefined } = {},
): Verdict => ({
  verdict: 'refused',
  spec,
  message,
  ...(more.given && { given: more.given }),
  ...(more.word !== undefined && { word: more.word }),
});

export const listed = (word?: string): Verdict => ({
  verdict: 'listed',
  ...(word !== undefined && { word }),
});

/** The same verdict for several fields next to each other: names divided by spaces. */
export const each = (prefix: string, names: string, verdict: Verdict): Rows =>
  names.split(' ').map((name) => [`${prefix}${name}`, verdict] as const);

/** A pod whose container `c` is like this. */
export const withContainer = (
  container: Partial<Container>,
  more: Partial<PodSpec> = {},
): Partial<PodSpec> => ({
  ...more,
  containers: [{ name: 'c', image: 'app:1', ...container }],
});

/** A pod with a volume `v` that its container has at `/v`. */
export const withVolume = (
  source: Partial<NonNullable<PodSpec['volumes']>[number]>,
  more: Partial<PodSpec> = {},
): Partial<PodSpec> =>
  withContainer(
    { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
    { ...more, volumes: [{ name: 'v', ...source }] },
  );

/** What container `c` of the plan is like. */
export const ofC = (see: object): object => ({ containers: { c: see } });
