/**
 * The grammars of names: DNS labels and subdomains, label keys and values, port names. Pure.
 *
 * Each function returns what is wrong, in the words of Kubernetes; an empty list means the name is valid. Called by
 * the selectors, and by validation, which puts each text behind `Invalid value: "...": `.
 */

/** A grammar as Kubernetes prints it, and the expression that checks it. */
interface Grammar {
  regexp: RegExp;
  message: string;
}

function grammar(format: string, text: string, ...examples: string[]): Grammar {
  const quoted = examples.map((e) => `'${e}'`).join(',  or ');
  return {
    regexp: new RegExp(`^(?:${format})$`),
    message: `${text} (e.g. ${quoted}, regex used for validation is '${format}')`,
  };
}

const labelFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const keyFormat = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const ends = 'and must start and end with an alphanumeric character';

const dnsLabel = grammar(
  labelFormat,
  `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', ${ends}`,
  'my-name',
  '123-abc',
);
const dnsSubdomain = grammar(
  `${labelFormat}(\\.${labelFormat})*`,
  `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', ${ends}`,
  'example.com',
);
const dns1035Label = grammar(
  '[a-z]([-a-z0-9]*[a-z0-9])?',
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  'my-name',
  'abc-123',
);
const keyText = `must consist of alphanumeric characters, '-', '_' or '.', ${ends}`;
const keyName = grammar(keyFormat, keyText, 'MyName', 'my.name', '123-abc');
const labelValue = grammar(
  `(${keyFormat})?`,
  `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', ${ends}`,
  'MyValue',
  'my_value',
  '12345',
);

const tooLong = (maxBytes: number): string => `must be no more than ${maxBytes} bytes`;
const isLonger = (value: string, maxBytes: number): boolean =>
  value.length > maxBytes ||
  (value.length * 3 > maxBytes && new TextEncoder().encode(value).length > maxBytes);

function check(value: string, maxBytes: number, { regexp, message }: Grammar): string[] {
  const problems = isLonger(value, maxBytes) ? [tooLong(maxBytes)] : [];
  return regexp.test(value) ? problems : [...problems, message];
}

/** Names of namespaces, containers and volumes: at most 63 of `a-z0-9-`. */
export function dnsLabelErrors(value: string): string[] {
  const problems = check(value, 63, dnsLabel);
  return problems.includes(dnsLabel.message) && dnsSubdomain.regexp.test(value)
    ? problems.map((p) => (p === dnsLabel.message ? 'must not contain dots' : p))
    : problems;
}

/** Names of most objects: dot-separated DNS labels, at most 253 bytes. */
export const dnsSubdomainErrors = (value: string): string[] => check(value, 253, dnsSubdomain);

/** Names of Services: a DNS label that begins with a letter. */
export const dns1035LabelErrors = (value: string): string[] => check(value, 63, dns1035Label);

/** Keys of labels, annotations and taints ("qualified names"): an optional DNS subdomain and `/`, then a name. */
export function labelKeyErrors(value: string): string[] {
  const parts = value.split('/');
  if (parts.length > 2) {
    return [
      `a valid label key ${keyName.message} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const problems: string[] = [];
  const [prefix] = parts.length === 2 ? parts : [undefined];
  if (prefix === '') problems.push('prefix part must be non-empty');
  else if (prefix !== undefined) problems.push(...dnsSubdomainErrors(prefix).map((p) => `prefix part ${p}`));
  const name = parts.at(-1) ?? '';
  if (name === '') problems.push('name part must be non-empty');
  return [...problems, ...check(name, 63, keyName).map((p) => `name part ${p}`)];
}

export const labelValueErrors = (value: string): string[] => check(value, 63, labelValue);

/** Names of container ports (IANA service names). */
export function portNameErrors(value: string): string[] {
  const problems: string[] = [];
  if (value.length > 15) problems.push(tooLong(15));
  if (!/^[-a-z0-9]+$/.test(value))
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) problems.push('must contain at least one letter (a-z)');
  if (value.includes('--')) problems.push('must not contain consecutive hyphens');
  if (/^-|-$/.test(value)) problems.push('must not begin or end with a hyphen');
  return problems;
}
