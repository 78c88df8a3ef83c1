/**
 * 2. The resourceVersion rules of lists and watches, as Kubernetes documents them, and continue tokens. Pure.
 */
import { ApiError, badRequest, type FieldError, invalid, type StatusDetails } from '../../src/api/errors.js';
import type { ListOptions, WatchOptions } from '../../src/client/client.js';

/** A decimal revision; `undefined` for an absent one. Rejects anything else with 422 as kube-apiserver words it. */
export function parseVersion(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,16}$/.test(text)) {
    const detail = `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw optionsError([{ type: 'Invalid', field: 'resourceVersion', value: text, detail }]);
  }
  return Number(text);
}

export const optionsError = (errors: readonly FieldError[]): ApiError =>
  invalid({ group: 'meta.k8s.io', kind: 'ListOptions', name: '' }, errors);

const matchError = (detail: string): FieldError => ({
  type: 'Forbidden',
  field: 'resourceVersionMatch',
  detail,
});

export function checkListOptions(options: ListOptions): void {
  const { resourceVersion, resourceVersionMatch: match } = options;
  const errors: FieldError[] = [];
  if (match) {
    if (!resourceVersion)
      errors.push(matchError('resourceVersionMatch is forbidden unless resourceVersion is provided'));
    if (options.continue)
      errors.push(matchError('resourceVersionMatch is forbidden when continue is provided'));
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      const detail = 'supported values: "Exact", "NotOlderThan", ""';
      errors.push({ type: 'NotSupported', field: 'resourceVersionMatch', value: match, detail });
    }
    if (match === 'Exact' && resourceVersion === '0') {
      errors.push(matchError('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
    }
  }
  if (errors.length > 0) throw optionsError(errors);
  if (options.continue && resourceVersion && resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
}

export function checkWatchOptions(options: WatchOptions): void {
  const { resourceVersionMatch: match, sendInitialEvents } = options;
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    errors.push(matchError('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  }
  if (match) {
    if (sendInitialEvents === undefined) {
      errors.push(
        matchError('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'),
      );
    }
    if (match !== 'NotOlderThan') {
      const detail = 'supported values: "NotOlderThan"';
      errors.push({ type: 'NotSupported', field: 'resourceVersionMatch', value: match, detail });
    }
    if (options.continue)
      errors.push(matchError('resourceVersionMatch is forbidden when continue is provided'));
  }
  if (errors.length > 0) throw optionsError(errors);
}

/** Where a paged list goes on: behind key `after`, at `revision`, or at the present when that is -1. */
export interface Continuation {
  revision: number;
  after: string;
}

export const encodeContinue = (from: Continuation): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: from.revision, start: from.after })).toString(
    'base64url',
  );

/** `prefix` is what the list may see; a token that points out of it is refused. */
export function decodeContinue(token: string, prefix: string): Continuation {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch (error) {
    throw badRequest('continue key is not valid: the token could not be decoded', error);
  }
  const { v, rv, start } = (parsed ?? {}) as { v?: unknown; rv?: unknown; start?: unknown };
  if (v !== 'meta.k8s.io/v1' || typeof rv !== 'number' || typeof start !== 'string') {
    throw badRequest('continue key is not valid: server does not recognize this encoded version');
  }
  if (!start.startsWith(prefix)) throw badRequest('continue key is not valid: it belongs to another list');
  return { revision: rv, after: start };
}

/**
 * 410 for a continue token whose snapshot is compacted. Its `Status` carries a fresh token with which the rest can be
 * had, without the promise of one consistent state.
 */
export class ContinueExpired extends ApiError {
  readonly #token: string;

  constructor(token: string, details?: StatusDetails) {
    super(
      'Expired',
      'The provided continue parameter is too old to display a consistent list result. You can start a new list ' +
        'without the continue parameter, or use the continue token in this response to retrieve the remainder of the ' +
        'results. Continuing with the provided token results in an inconsistent list - objects that were created, ' +
        'modified, or deleted between the time the first chunk was returned and now may show up in the list.',
      details,
    );
    this.#token = token;
  }

  override toStatus(): ReturnType<ApiError['toStatus']> {
    return { ...super.toStatus(), metadata: { continue: this.#token } };
  }
}
