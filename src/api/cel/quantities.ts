/**
 * The `quantity`, `semver` and `format` types that Kubernetes adds to CEL. Pure.
 */
import { type Environment, Optional } from '@marcbachmann/cel-js';
import {
  dns1035LabelErrors,
  dnsLabelErrors,
  dnsSubdomainErrors,
  labelKeyErrors,
  labelValueErrors,
} from '../names.js';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  parseQuantity,
  QuantityError,
  subtractQuantities,
} from '../quantity.js';
import { stringFormat } from '../structural/formats.js';
import { addAll, addNamespace, fail } from './library.js';

export class CelQuantity {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  equals(other: CelQuantity): boolean {
    return compareQuantities(this.text, other.text) === 0;
  }

  toString(): string {
    return this.text;
  }
}

function quantityOf(text: string): CelQuantity {
  try {
    return new CelQuantity(canonicalQuantity(text));
  } catch (error) {
    if (error instanceof QuantityError) fail(error.message);
    throw error;
  }
}

function isQuantity(text: string): boolean {
  try {
    parseQuantity(text);
    return true;
  } catch (error) {
    if (error instanceof QuantityError) return false;
    throw error;
  }
}

const NANO = 1_000_000_000n;
const nanosOf = ({ text }: CelQuantity): bigint => parseQuantity(text).nanos;
const isWhole = (quantity: CelQuantity): boolean => {
  const nanos = nanosOf(quantity);
  return nanos % NANO === 0n && nanos / NANO < 1n << 63n && nanos / NANO >= -(1n << 63n);
};
const amount = (value: CelQuantity | bigint): string =>
  typeof value === 'bigint' ? String(value) : value.text;

export class CelSemver {
  readonly parts: readonly bigint[];
  readonly before: string;
  readonly text: string;

  constructor(parts: readonly bigint[], before: string, text: string) {
    this.parts = parts;
    this.before = before;
    this.text = text;
  }

  equals(other: CelSemver): boolean {
    return compareSemver(this, other) === 0;
  }

  toString(): string {
    return this.text;
  }
}

const semverPattern =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*))*))?(?:\+[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?$/;

/** `v1`, `1.2` and leading zeros are mended when asked. */
function parseSemver(text: string, isLoose = false): CelSemver | undefined {
  const mended = isLoose
    ? text
        .trim()
        .replace(/^v/, '')
        .replace(/^\d+(?:\.\d+)*/, (core) => {
          const parts = core.split('.').map((part) => part.replace(/^0+(?=\d)/, ''));
          while (parts.length < 3) parts.push('0');
          return parts.join('.');
        })
    : text;
  const found = semverPattern.exec(mended);
  if (!found) return undefined;
  return new CelSemver(found.slice(1, 4).map(BigInt), found[4] ?? '', mended);
}

const semverOf = (text: string, isLoose?: boolean): CelSemver =>
  parseSemver(text, isLoose) ?? fail(`No Major.Minor.Patch elements found: ${text}`);

function compareSemver(a: CelSemver, b: CelSemver): number {
  for (const [i, part] of a.parts.entries()) {
    const other = b.parts[i] ?? 0n;
    if (part !== other) return part < other ? -1 : 1;
  }
  if (a.before === b.before) return 0;
  if (a.before === '' || b.before === '') return a.before === '' ? 1 : -1;
  const [left, right] = [a.before.split('.'), b.before.split('.')];
  for (const [i, one] of left.entries()) {
    const other = right[i];
    if (other === undefined) return 1;
    if (one === other) continue;
    const [x, y] = [/^\d+$/.test(one), /^\d+$/.test(other)];
    if (x && y) return BigInt(one) < BigInt(other) ? -1 : 1;
    if (x !== y) return x ? -1 : 1;
    return one < other ? -1 : 1;
  }
  return -1;
}

export class CelFormat {
  readonly name: string;
  readonly problems: (text: string) => string[];

  constructor(name: string, problems: (text: string) => string[]) {
    this.name = name;
    this.problems = problems;
  }

  equals(other: CelFormat): boolean {
    return this.name === other.name;
  }
}

const named = (format: string) => (text: string) =>
  stringFormat(format)?.(text) ? [] : [`invalid ${format}`];
/** The last character of a prefix may be what a name must not end in. */
const asPrefix = (problems: (text: string) => string[]) => (text: string) =>
  problems(text.replace(/-$/, 'a'));
const formats: Readonly<Record<string, (text: string) => string[]>> = {
  dns1123Label: dnsLabelErrors,
  dns1123Subdomain: dnsSubdomainErrors,
  dns1035Label: dns1035LabelErrors,
  qualifiedName: labelKeyErrors,
  dns1123LabelPrefix: asPrefix(dnsLabelErrors),
  dns1123SubdomainPrefix: asPrefix(dnsSubdomainErrors),
  dns1035LabelPrefix: asPrefix(dns1035LabelErrors),
  labelValue: labelValueErrors,
  uri: named('uri'),
  uuid: named('uuid'),
  byte: named('byte'),
  date: named('date'),
  datetime: named('datetime'),
};

export function addQuantityTypes(environment: Environment): void {
  environment.registerType('kubernetes.Quantity', CelQuantity as never);
  environment.registerType('kubernetes.Semver', CelSemver as never);
  environment.registerType('kubernetes.NamedFormat', CelFormat as never);
  for (const type of ['kubernetes.Quantity', 'kubernetes.Semver', 'kubernetes.NamedFormat'])
    environment.registerOperator(`${type} == ${type}`, (a: CelQuantity, b: CelQuantity) => a.equals(b));
  const Q = 'kubernetes.Quantity';
  const S = 'kubernetes.Semver';
  const compare = (a: CelQuantity, b: CelQuantity): number => compareQuantities(a.text, b.text);
  const added = (a: CelQuantity, b: CelQuantity | bigint) =>
    new CelQuantity(addQuantities(a.text, amount(b)));
  const taken = (a: CelQuantity, b: CelQuantity | bigint) =>
    new CelQuantity(subtractQuantities(a.text, amount(b)));
  addAll(environment, {
    [`quantity(string): ${Q}`]: quantityOf,
    'isQuantity(string): bool': isQuantity,
    [`${Q}.sign(): int`]: (quantity: CelQuantity) => {
      const nanos = nanosOf(quantity);
      return nanos === 0n ? 0n : nanos > 0n ? 1n : -1n;
    },
    [`${Q}.isInteger(): bool`]: isWhole,
    [`${Q}.asInteger(): int`]: (quantity: CelQuantity) =>
      isWhole(quantity) ? nanosOf(quantity) / NANO : fail('cannot convert value to integer'),
    [`${Q}.asApproximateFloat(): double`]: (quantity: CelQuantity) => Number(nanosOf(quantity)) / 1e9,
    [`${Q}.add(${Q}): ${Q}`]: added,
    [`${Q}.add(int): ${Q}`]: added,
    [`${Q}.sub(${Q}): ${Q}`]: taken,
    [`${Q}.sub(int): ${Q}`]: taken,
    [`${Q}.isGreaterThan(${Q}): bool`]: (a: CelQuantity, b: CelQuantity) => compare(a, b) > 0,
    [`${Q}.isLessThan(${Q}): bool`]: (a: CelQuantity, b: CelQuantity) => compare(a, b) < 0,
    [`${Q}.compareTo(${Q}): int`]: (a: CelQuantity, b: CelQuantity) => BigInt(Math.sign(compare(a, b))),
    [`semver(string): ${S}`]: (text: string) => semverOf(text),
    [`semver(string, bool): ${S}`]: semverOf,
    'isSemver(string): bool': (text: string) => parseSemver(text) !== undefined,
    'isSemver(string, bool): bool': (text: string, isLoose: boolean) =>
      parseSemver(text, isLoose) !== undefined,
    [`${S}.major(): int`]: ({ parts }: CelSemver) => parts[0],
    [`${S}.minor(): int`]: ({ parts }: CelSemver) => parts[1],
    [`${S}.patch(): int`]: ({ parts }: CelSemver) => parts[2],
    [`${S}.isGreaterThan(${S}): bool`]: (a: CelSemver, b: CelSemver) => compareSemver(a, b) > 0,
    [`${S}.isLessThan(${S}): bool`]: (a: CelSemver, b: CelSemver) => compareSemver(a, b) < 0,
    [`${S}.compareTo(${S}): int`]: (a: CelSemver, b: CelSemver) => BigInt(compareSemver(a, b)),
  });
  addFormats(environment);
}

function addFormats(environment: Environment): void {
  addNamespace(environment, 'format', 'FormatNamespace');
  const type = 'kubernetes.NamedFormat';
  addAll(environment, {
    [`FormatNamespace.named(string): optional<${type}>`]: (_format: object, name: string) => {
      const problems = Object.hasOwn(formats, name) ? formats[name] : undefined;
      return problems ? Optional.of(new CelFormat(name, problems)) : Optional.none();
    },
    [`${type}.validate(string): optional<list<string>>`]: ({ problems }: CelFormat, text: string) => {
      const found = problems(text);
      return found.length > 0 ? Optional.of(found) : Optional.none();
    },
    ...Object.fromEntries(
      Object.entries(formats).map(([name, problems]) => [
        `FormatNamespace.${name}(): ${type}`,
        () => new CelFormat(name, problems),
      ]),
    ),
  });
}
