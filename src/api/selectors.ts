/**
 * Label and field selectors: what `-l` and `--field-selector` mean, and the `LabelSelector` object. Pure.
 *
 * A `Selector` is immutable. The string grammar is in `selector-text.ts`. Called by list and watch in the API, by
 * informers, and by every controller that selects pods.
 */
import { type FieldError, fieldErrorText } from './errors.js';
import { labelKeyErrors, labelValueErrors } from './names.js';
import { type Operator, parseRequirements, type Requirement, SelectorError } from './selector-text.js';
import type { LabelSelector } from './types.js';

export { type Operator, type Requirement, SelectorError } from './selector-text.js';

type Labels = Readonly<Record<string, string>> | undefined;

const integer = (text: string): bigint | undefined => (/^[-+]?\d+$/.test(text) ? BigInt(text) : undefined);

function meets({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = labels && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
    case 'lt': {
      const [left, right] = [integer(value ?? ''), integer(values[0] ?? '')];
      if (left === undefined || right === undefined) return false;
      return operator === 'gt' ? left > right : left < right;
    }
  }
}

function requirementText({ key, operator, values }: Requirement): string {
  const list = `(${[...values].sort().join(',')})`;
  const texts: Record<Operator, string> = {
    '=': `${key}=${values[0]}`,
    '==': `${key}==${values[0]}`,
    '!=': `${key}!=${values[0]}`,
    in: `${key} in ${list}`,
    notin: `${key} notin ${list}`,
    exists: key,
    '!': `!${key}`,
    gt: `${key}>${values[0]}`,
    lt: `${key}<${values[0]}`,
  };
  return texts[operator];
}

/** Throws `SelectorError` for a key, value or number of values that the operator does not take. */
function checkRequirement({ key, operator, values }: Requirement): void {
  const wrong: FieldError[] = labelKeyErrors(key).map((detail) => ({
    type: 'Invalid',
    field: 'key',
    value: key,
    detail,
  }));
  const invalidValues = (detail: string) =>
    wrong.push({ type: 'Invalid', field: 'values', value: values, detail });
  if (operator === 'in' || operator === 'notin') {
    if (values.length === 0) invalidValues("for 'in', 'notin' operators, values set can't be empty");
  } else if (operator === 'exists' || operator === '!') {
    if (values.length > 0) invalidValues('values set must be empty for exists and does not exist');
  } else if (operator === 'gt' || operator === 'lt') {
    const detail = "for 'Gt', 'Lt' operators, the value must be an integer";
    if (values.length !== 1) invalidValues("for 'Gt', 'Lt' operators, exactly one value is required");
    else if (integer(values[0] ?? '') === undefined)
      wrong.push({ type: 'Invalid', field: 'values[0]', value: values[0], detail });
  } else if (values.length !== 1) invalidValues('exact-match compatibility requires one single value');
  for (const [i, value] of values.entries()) {
    for (const detail of labelValueErrors(value))
      wrong.push({ type: 'Invalid', field: `values[${i}][${key}]`, value, detail });
  }
  if (wrong.length === 0) return;
  const texts = wrong.map((e) => `${e.field}: ${fieldErrorText(e)}`);
  throw new SelectorError(texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`);
}

export class Selector {
  /** Sorted by key; all must be met. */
  readonly requirements: readonly Requirement[];
  readonly #isNothing: boolean;

  private constructor(requirements: readonly Requirement[], isNothing = false) {
    this.requirements = requirements;
    this.#isNothing = isNothing;
  }

  static readonly everything = new Selector([]);
  static readonly nothing = new Selector([], true);

  /** Throws `SelectorError`. */
  static of(requirements: readonly Requirement[]): Selector {
    for (const requirement of requirements) checkRequirement(requirement);
    return new Selector([...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)));
  }

  get isEmpty(): boolean {
    return !this.#isNothing && this.requirements.length === 0;
  }

  matches(labels: Labels): boolean {
    return !this.#isNothing && this.requirements.every((requirement) => meets(requirement, labels));
  }

  /** The text form; parses back to an equal selector. */
  toString(): string {
    return this.requirements.map(requirementText).join(',');
  }
}

/** Parses `app=web,tier in (a,b),!canary`. Throws `SelectorError`. */
export const parseLabelSelector = (text: string): Selector => Selector.of(parseRequirements(text));

/** All of these labels with these values; no labels select everything. As in `service.spec.selector`. */
export const selectorOfLabels = (labels: Labels): Selector =>
  Selector.of(Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: '=', values: [value] })));

const objectOperators: Record<string, Operator> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/** A `LabelSelector` object. Absent selects nothing, empty selects everything. Throws `SelectorError`. */
export function selectorOf(selector: LabelSelector | undefined): Selector {
  if (!selector) return Selector.nothing;
  const labels = Object.entries(selector.matchLabels ?? {});
  return Selector.of([
    ...labels.map(([key, value]): Requirement => ({ key, operator: '=', values: [value] })),
    ...(selector.matchExpressions ?? []).map(({ key, operator, values }): Requirement => {
      const known = Object.hasOwn(objectOperators, operator) ? objectOperators[operator] : undefined;
      if (!known)
        throw new SelectorError(`${JSON.stringify(operator)} is not a valid label selector operator`);
      return { key, operator: known, values: values ?? [] };
    }),
  ]);
}

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** Parses `metadata.name=a,status.phase!=Running`; `\\`, `\,` and `\=` escape. Throws `SelectorError`. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  const terms = text.match(/(?:\\.?|[^,\\])+/gs) ?? [];
  return terms.map((term) => {
    const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
    if (!match) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
    return {
      field: match[1] ?? '',
      operator: match[2] === '!=' ? '!=' : '=',
      value: unescapeValue(match[3] ?? ''),
    };
  });
}

function unescapeValue(value: string): string {
  return value.replace(/\\(.?)|[,=]/gs, (found, escaped: string | undefined) => {
    if (escaped === undefined) {
      throw new SelectorError(`invalid field selector: unescaped character in value: ${found.charCodeAt(0)}`);
    }
    if (escaped === '' || !'\\,='.includes(escaped)) {
      throw new SelectorError(`invalid field selector: invalid escape sequence: ${found}`);
    }
    return escaped;
  });
}

/** `fieldText` gives the text of a field of the object ('' when unset), and throws for a field nobody may select by. */
export const matchesFields = (
  requirements: readonly FieldRequirement[],
  fieldText: (field: string) => string,
): boolean =>
  requirements.every(({ field, operator, value }) => (fieldText(field) === value) === (operator === '='));
