/**
 * Quantities of resources (`100m`, `1Gi`, `2e3`): exact arithmetic and the canonical text Kubernetes prints. Pure.
 *
 * An amount is a whole number of nanos in a BigInt, so nothing is ever rounded but what is finer than a nano (rounded
 * away from zero, as Kubernetes documents). Called by the schema (every quantity of a body becomes canonical), the
 * scheduler, the agent and validation.
 */

/** How the text was written; it is printed in the same family of suffixes. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Amount {
  nanos: bigint;
  format: QuantityFormat;
}

/** The text is not a quantity; the message is the one of Kubernetes. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const NANO = 1_000_000_000n;
const MAX_BINARY = (2n ** 63n - 1n) * NANO;
const MAX_EXPONENT = 1000;
const shape = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;
const wrongFormat =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const decimalExponents: Record<string, number> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const decimalSuffixes = new Map(
  Object.entries(decimalExponents).map(([suffix, exponent]) => [exponent, suffix]),
);
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

interface Scale {
  format: QuantityFormat;
  exponent: number;
}

function scaleOf(suffix: string): Scale {
  const decimal = decimalExponents[suffix];
  if (decimal !== undefined) return { format: 'DecimalSI', exponent: decimal };
  const binary = binarySuffixes.indexOf(suffix);
  if (binary > 0) return { format: 'BinarySI', exponent: binary * 10 };
  const exponent = /^[eE]([-+]?\d+)$/.exec(suffix)?.[1];
  if (exponent === undefined) throw new QuantityError("unable to parse quantity's suffix");
  if (Math.abs(Number(exponent)) > MAX_EXPONENT)
    throw new QuantityError('unable to parse numeric part of quantity');
  return { format: 'DecimalExponent', exponent: Number(exponent) };
}

const abs = (n: bigint): bigint => (n < 0n ? -n : n);

/** `n / d`, rounded away from zero. */
function divideUp(n: bigint, d: bigint): bigint {
  const quotient = n / d;
  if (quotient * d === n) return quotient;
  return n < 0n ? quotient - 1n : quotient + 1n;
}

/** Digits with `decimals` of them after the point, times 10^exponent (or 2^exponent), in nanos. */
function toNanos(digits: bigint, decimals: number, { format, exponent }: Scale): bigint {
  const isBinary = format === 'BinarySI';
  const power = 9 - decimals + (isBinary ? 0 : exponent);
  const scaled = isBinary ? digits << BigInt(exponent) : digits;
  return power >= 0 ? scaled * 10n ** BigInt(power) : divideUp(scaled, 10n ** BigInt(-power));
}

/** Parses a quantity, as text or as the number a JSON or YAML body may hold. Throws `QuantityError`. */
export function parseQuantity(input: string | number): Amount {
  const text = typeof input === 'number' ? numberText(input) : input;
  const match = shape.exec(text);
  const [, sign = '', whole = '', fraction = '', suffix = ''] = match ?? [];
  if (!match || whole + fraction === '') throw new QuantityError(wrongFormat);
  const scale = scaleOf(suffix);
  const positive = toNanos(BigInt(whole + fraction), fraction.length, scale);
  const capped = scale.format === 'BinarySI' && positive > MAX_BINARY ? MAX_BINARY : positive;
  const isSubUnit = scale.format === 'BinarySI' && capped > 0n && capped < NANO;
  return { nanos: sign === '-' ? -capped : capped, format: isSubUnit ? 'DecimalSI' : scale.format };
}

/** JavaScript prints 1e21 where JSON said the digits; Kubernetes reads either. */
const numberText = (n: number): string => {
  if (!Number.isFinite(n)) throw new QuantityError(wrongFormat);
  return String(n).replace('e+', 'e');
};

/** The canonical text: no fraction, the largest suffix that keeps the value exact. */
export function formatQuantity({ nanos, format }: Amount): string {
  if (nanos === 0n) return '0';
  if (format === 'BinarySI' && nanos % NANO === 0n && abs(nanos) >= 1024n * NANO) {
    let value = nanos / NANO;
    let times = 0;
    while (value % 1024n === 0n && times < binarySuffixes.length - 1) {
      value /= 1024n;
      times++;
    }
    return `${value}${binarySuffixes[times]}`;
  }
  let value = nanos;
  let exponent = -9;
  while (value % 1000n === 0n && (format === 'DecimalExponent' || exponent < 18)) {
    value /= 1000n;
    exponent += 3;
  }
  if (format !== 'DecimalExponent') return `${value}${decimalSuffixes.get(exponent)}`;
  return exponent === 0 ? `${value}` : `${value}e${exponent}`;
}

/** Quantities nearly every manifest has are canonical already. */
const surelyCanonical = /^(0|[1-9]\d{0,2}(m|k|M|G|T|Ki|Mi|Gi|Ti)?)$/;

/**
 * The text Kubernetes stores for what a client sent: `0.5` -> `500m`, `1024Mi` -> `1Gi`. A text that is exact and has
 * no trailing thousands stays as it was written (`1E3`, `+5`), as in Kubernetes. Throws `QuantityError`.
 */
export function canonicalQuantity(input: string | number): string {
  if (typeof input === 'string' && surelyCanonical.test(input)) return input;
  const text = typeof input === 'number' ? numberText(input) : input.trim();
  const amount = parseQuantity(text);
  const [, , whole = '', fraction = '', suffix = ''] = shape.exec(text) ?? [];
  const digits = whole.replace(/^0+/, '') + fraction;
  const { format, exponent } = scaleOf(suffix);
  const isExact = exponent - fraction.length >= -9 && digits.length <= 18;
  const isKept =
    format === 'BinarySI'
      ? fraction === '' && digits.length + exponent * 0.3 < 15 && BigInt(digits || '0') % 8n !== 0n
      : isExact && (exponent - fraction.length) % 3 === 0 && !digits.endsWith('000') && /^[1-9]/.test(digits);
  return isKept ? text : formatQuantity(amount);
}

/** Negative, zero or positive, for `sort` and for comparisons by value (`1` equals `1000m`). */
export function compareQuantities(a: string, b: string): number {
  const difference = parseQuantity(a).nanos - parseQuantity(b).nanos;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The sum, in the format of the first that is not zero. */
export function addQuantities(...quantities: string[]): string {
  const amounts = quantities.map(parseQuantity);
  const nanos = amounts.reduce((sum, amount) => sum + amount.nanos, 0n);
  return formatQuantity({ nanos, format: amounts.find((a) => a.nanos !== 0n)?.format ?? 'DecimalSI' });
}

export function subtractQuantities(a: string, b: string): string {
  const [left, right] = [parseQuantity(a), parseQuantity(b)];
  return formatQuantity({
    nanos: left.nanos - right.nanos,
    format: left.nanos === 0n ? right.format : left.format,
  });
}

/** Thousandths, rounded away from zero: `1500m` -> 1500, `2` -> 2000. The unit of CPU. */
export const toMilli = (quantity: string): number =>
  Number(divideUp(parseQuantity(quantity).nanos, 1_000_000n));

/** Whole units, rounded away from zero: bytes for memory, a count for pods. */
export const toBytes = (quantity: string): number => Number(divideUp(parseQuantity(quantity).nanos, NANO));

/** 1500 -> `1500m`, 2000 -> `2`. */
export const fromMilli = (milli: number): string =>
  formatQuantity({ nanos: BigInt(Math.round(milli)) * 1_000_000n, format: 'DecimalSI' });

/** 1073741824 -> `1Gi`. */
export const fromBytes = (bytes: number): string =>
  formatQuantity({ nanos: BigInt(Math.round(bytes)) * NANO, format: 'BinarySI' });
