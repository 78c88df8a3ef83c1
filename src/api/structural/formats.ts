/**
 * The string formats that the schema of a custom kind may ask for, as Kubernetes checks them; unknown ones are ignored.
 * Pure; called by `validate.ts` and the CEL library.
 */
import { dnsLabelErrors, dnsSubdomainErrors } from '../names.js';

const uuid = (version: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i');

const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** As Go's net.ParseIP takes it, for the colon form. */
export function isIPv6(text: string): boolean {
  const [head = '', tail, more] = text.split('::');
  if (more !== undefined || !text.includes(':') || text.includes('%')) return false;
  const count = (part: string): number => {
    if (part === '') return 0;
    const groups = part.split(':');
    const last = groups.at(-1) ?? '';
    const dotted = last.includes('.') && ipv4.test(last);
    const plain = dotted ? groups.slice(0, -1) : groups;
    if (!plain.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return Number.NaN;
    return plain.length + (dotted ? 2 : 0);
  };
  if (tail === undefined) return count(head) === 8;
  if (head.includes('.')) return false;
  return count(head) + count(tail) <= 7;
}

export const isIPv4 = (text: string): boolean => ipv4.test(text);

const maxLabels =
  /^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*\.?$/;

export function isCidr(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return false;
  const address = text.slice(0, slash);
  const bits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(bits)) return false;
  return Number(bits) <= (isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1);
}

const daysIn = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

export function isDate(text: string): boolean {
  const [, year = '', month = '', day = ''] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? [];
  const [m, d] = [Number(month), Number(day)];
  return year !== '' && m >= 1 && m <= 12 && d >= 1 && d <= daysIn(Number(year), m);
}

export function isDateTime(text: string): boolean {
  const [, date = '', hour = '', minute = '', second = ''] =
    /^(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  return isDate(date) && Number(hour) < 24 && Number(minute) < 60 && Number(second) <= 60;
}

/** A Go duration (`1h30m`, `-1.5s`), or a number and a word (`22 ns`, `1 hour`). */
export const isDuration = (text: string): boolean =>
  /^[-+]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(text) ||
  /^\d+(\.\d+)?\s*(ns|nano|nanos|nanosecond|nanoseconds|us|micro|micros|microsecond|microseconds|ms|milli|millis|millisecond|milliseconds|s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hr|hour|hours|d|day|days|w|wk|week|weeks)$/.test(
    text,
  );

function hasIsbnSum(text: string): boolean {
  const digits = text.replace(/[\s-]/g, '');
  if (/^\d{9}[\dXx]$/.test(digits)) {
    const sum = [...digits].reduce((total, c, i) => total + (10 - i) * (/[Xx]/.test(c) ? 10 : Number(c)), 0);
    return sum % 11 === 0;
  }
  if (!/^\d{13}$/.test(digits)) return false;
  return [...digits].reduce((total, c, i) => total + Number(c) * (i % 2 === 0 ? 1 : 3), 0) % 10 === 0;
}

const cards =
  /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/;

function isUri(text: string): boolean {
  if (text === '' || /[\s\p{Cc}]/u.test(text)) return false;
  if (text.startsWith('/')) return true;
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:[^#]*$/.test(text) && URL.canParse(text);
}

const byte = (value: number): boolean => value >= 0 && value <= 255;

const checks: Readonly<Record<string, (text: string) => boolean>> = {
  bsonobjectid: (text) => /^[0-9a-f]{24}$/i.test(text),
  uri: isUri,
  email: (text) =>
    /^(?:[^<>@]*<)?[^\s@<>"(),:;[\]\\]+@[^\s@<>"(),:;\\]+>?$/.test(text.trim()) && text.length > 0,
  hostname: (text) => text.length <= 255 && maxLabels.test(text),
  ipv4: isIPv4,
  ipv6: isIPv6,
  cidr: isCidr,
  mac: (text) =>
    /^(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4,18}[0-9a-f]{2}$/i.test(text) ||
    /^(?:[0-9a-f]{4}\.){2,9}[0-9a-f]{4}$/i.test(text),
  uuid: (text) => uuid('[0-9a-f]{4}').test(text),
  uuid3: (text) => uuid('3[0-9a-f]{3}').test(text),
  uuid4: (text) => isUuidOf(text, '4'),
  uuid5: (text) => isUuidOf(text, '5'),
  isbn: hasIsbnSum,
  isbn10: (text) => text.replace(/[\s-]/g, '').length === 10 && hasIsbnSum(text),
  isbn13: (text) => text.replace(/[\s-]/g, '').length === 13 && hasIsbnSum(text),
  creditcard: (text) => cards.test(text.replace(/\D/g, '')),
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: (text) => /^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text),
  rgbcolor: (text) => {
    const found = /^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(text);
    return found?.slice(1).every((part) => byte(Number(part))) ?? false;
  },
  byte: (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
  password: () => true,
  date: isDate,
  duration: isDuration,
  datetime: isDateTime,
  k8sshortname: (text) => dnsLabelErrors(text).length === 0,
  k8slongname: (text) => dnsSubdomainErrors(text).length === 0,
};

function isUuidOf(text: string, version: '4' | '5'): boolean {
  return new RegExp(
    `^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$`,
    'i',
  ).test(text);
}

/** The check of a format, dashes aside (`date-time`, `k8s-short-name`); undefined for one that nobody knows. */
export function stringFormat(format: string): ((text: string) => boolean) | undefined {
  const name = format.replaceAll('-', '');
  return Object.hasOwn(checks, name) ? checks[name] : undefined;
}

const numberFormats: Readonly<Record<string, readonly string[]>> = {
  integer: ['int32', 'int64'],
  number: ['float', 'double'],
};

/** A format that means something for values of the type; others are ignored. */
export const isKnownFormat = (type: string, format: string): boolean =>
  type === '' || type === 'string'
    ? stringFormat(format) !== undefined
    : (numberFormats[type]?.includes(format) ?? false);
