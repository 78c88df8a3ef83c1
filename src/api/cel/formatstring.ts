/**
 * `"%s has %d".format([a, b])`: the verbs of CEL's string extension. Pure.
 */
import { fail } from './library.js';

/** `%s` of any value, as CEL prints it. */
function plainText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'null';
  if (typeof value === 'number')
    return Number.isNaN(value)
      ? 'NaN'
      : Number.isFinite(value)
        ? String(value)
        : value > 0
          ? 'Infinity'
          : '-Infinity';
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (Array.isArray(value)) return `[${value.map(plainText).join(', ')}]`;
  if (typeof value === 'object' && (value.constructor === undefined || value.constructor === Object)) {
    const entries = Object.entries(value).map(([key, item]) => `${key}: ${plainText(item)}`);
    return `{${entries.sort().join(', ')}}`;
  }
  return String(value);
}

function integerText(value: unknown, radix: number, verb: string): string {
  if (typeof value === 'bigint') return value.toString(radix);
  if (typeof value === 'boolean' && verb === 'b') return value ? '1' : '0';
  if (typeof value === 'string' && verb === 'x')
    return [...new TextEncoder().encode(value)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return fail(`error during formatting: only integers can be formatted with %${verb}`);
}

function numberText(value: unknown, digits: number, isScientific: boolean): string {
  if (typeof value !== 'number' && typeof value !== 'bigint')
    return fail('error during formatting: fixed-point clause can only be used on doubles');
  const number = Number(value);
  if (!isScientific) return number.toFixed(digits);
  return number.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');
}

const MAX_DIGITS = 100;

export function formatText(format: string, args: readonly unknown[]): string {
  let next = 0;
  return format.replace(
    /%(?:%|(?:\.(\d+))?(.)|$)/gsu,
    (text, precision: string | undefined, verb: string | undefined) => {
      if (text === '%%') return '%';
      if (verb === undefined) return fail('error during formatting: unexpected end of format string');
      if (next >= args.length) return fail(`error during formatting: index ${next} out of range`);
      const value = args[next];
      next += 1;
      const digits = Math.min(precision === undefined ? 6 : Number(precision), MAX_DIGITS);
      switch (verb) {
        case 's':
          return plainText(value);
        case 'd':
          return typeof value === 'number' ? plainText(value) : integerText(value, 10, 'd');
        case 'f':
          return numberText(value, digits, false);
        case 'e':
          return numberText(value, digits, true);
        case 'b':
          return integerText(value, 2, 'b');
        case 'x':
          return integerText(value, 16, 'x');
        case 'X':
          return integerText(value, 16, 'x').toUpperCase();
        case 'o':
          return integerText(value, 8, 'o');
        default:
          return fail(`error during formatting: unrecognized formatting clause "${verb}"`);
      }
    },
  );
}
