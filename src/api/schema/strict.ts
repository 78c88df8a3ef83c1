/**
 * What the API answers when a body does not decode, and the duplicate fields strict validation asks for. Pure.
 *
 * Called by the HTTP layer and the registry, with the results of `check.ts`.
 */
import { ApiError, type FieldError } from '../errors.js';
import type { GroupVersionKind } from './table.js';

const refusal = ({ version, kind }: Pick<GroupVersionKind, 'version' | 'kind'>, why: string): string =>
  `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`;

/**
 * 400 for values of a wrong type. The message has the first, as kube-apiserver's, with the field in front where that names
 * none (a quantity, a time); the causes name every field.
 */
export function decodeError(
  gvk: Pick<GroupVersionKind, 'version' | 'kind'>,
  errors: readonly FieldError[],
): ApiError {
  return new ApiError('BadRequest', refusal(gvk, firstOf(errors)), {
    causes: errors.map(({ field, detail = '' }) => ({
      reason: 'FieldValueTypeInvalid',
      message: detail,
      field,
    })),
  });
}

function firstOf([first]: readonly FieldError[]): string {
  const detail = first?.detail ?? 'unknown error';
  return !first || detail.includes('struct field') ? detail : `${first.field}: ${detail}`;
}

/** One text per problem, as in `Warning` headers: `unknown field "spec.foo"`, `duplicate field "spec.replicas"`. */
export const strictProblems = (unknown: readonly string[], duplicates: readonly string[]): string[] => [
  ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
  ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
];

/** 400 for `fieldValidation=Strict`. */
export const strictError = (
  gvk: Pick<GroupVersionKind, 'version' | 'kind'>,
  problems: readonly string[],
): ApiError => new ApiError('BadRequest', refusal(gvk, `strict decoding error: ${problems.join(', ')}`));

const MAX_DUPLICATES = 100;
const BACKSLASH = 92;

/** Index of the quote that ends the string whose text begins at `start`; `indexOf` jumps over long texts. */
function stringEnd(json: string, start: number): number {
  for (let end = json.indexOf('"', start); end >= 0; end = json.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (json.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    // An even number of them escapes each other; the quote before the text ends the count.
    if (backslashes % 2 === 0) return end;
  }
  return json.length;
}

interface Level {
  /** Keys seen, or undefined in a list. */
  keys: Set<string> | undefined;
  /** The current key or index. */
  at: string | number;
}

/** Paths of the keys that occur twice in one object of a JSON text, which must be valid JSON; the first 100. One pass. */
export function duplicateFields(json: string): string[] {
  const found: string[] = [];
  const levels: Level[] = [];
  let top: Level | undefined;
  let isKey = false;
  for (let i = 0; i < json.length; i++) {
    switch (json[i]) {
      case '"': {
        const end = stringEnd(json, i + 1);
        if (isKey && top?.keys) {
          const raw = json.slice(i + 1, end);
          const key = raw.includes('\\') ? String(JSON.parse(`"${raw}"`)) : raw;
          top.at = key;
          if (top.keys.has(key) && found.length < MAX_DUPLICATES) found.push(pathOf(levels));
          top.keys.add(key);
          isKey = false;
        }
        i = end;
        break;
      }
      case '{':
        top = { keys: new Set(), at: '' };
        levels.push(top);
        isKey = true;
        break;
      case '[':
        top = { keys: undefined, at: 0 };
        levels.push(top);
        isKey = false;
        break;
      case '}':
      case ']':
        levels.pop();
        top = levels.at(-1);
        isKey = false;
        break;
      case ',':
        isKey = top?.keys !== undefined;
        if (top && typeof top.at === 'number') top.at++;
        break;
    }
  }
  return found;
}

const pathOf = (levels: readonly Level[]): string =>
  levels.reduce(
    (path, { at }) => (typeof at === 'number' ? `${path}[${at}]` : path === '' ? at : `${path}.${at}`),
    '',
  );
