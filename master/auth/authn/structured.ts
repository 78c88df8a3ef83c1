/**
 * `--authentication-config`: an AuthenticationConfiguration of apiserver.config.k8s.io, read strictly: outside issuers with
 * mappings and rules, as claims or as CEL expressions, and where requests without credentials may go. Pure. Every error names
 * the field.
 *
 * One thing is stricter than in kube-apiserver: `anonymous.enabled` without conditions opens health and version only.
 */
import { parse } from 'yaml';
import { CelCompileError, compile, type Program } from '../../../src/api/cel/program.js';
import { readAuthorities } from './chain.js';
import { discoveryUrlOf, type JwtIssuer, type Mapping, type Rule } from './jwtconfig.js';
import { knownAlgorithms } from './oidcflags.js';

export interface StructuredAuthentication {
  issuers: readonly JwtIssuer[];
  /** The usual paths when absent. */
  anonymousPaths: ReadonlySet<string> | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

const versions = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `apiserver.config.k8s.io/${version}`);
const maxIssuers = 64;

/** Throws an `Error` whose message can be shown. `own` are the issuers of service account tokens. */
export function readStructured(text: string, own: readonly string[]): StructuredAuthentication {
  const file = fields('', parse(text), ['apiVersion', 'kind', 'jwt', 'anonymous']);
  if (file['kind'] !== 'AuthenticationConfiguration')
    throw wrong('kind', 'must be AuthenticationConfiguration');
  if (!versions.includes(String(file['apiVersion'])))
    throw wrong('apiVersion', `must be one of ${versions.join(', ')}`);
  const entries = list('jwt', file['jwt']);
  if (entries.length > maxIssuers) throw wrong('jwt', `must have at most ${maxIssuers} items`);
  const issuers = entries.map((entry, index) => readIssuer(`jwt[${index}]`, entry));
  const taken = new Set(own);
  for (const [index, { url }] of issuers.entries()) {
    if (taken.has(url)) throw wrong(`jwt[${index}].issuer.url`, 'is used twice');
    taken.add(url);
  }
  return { issuers, anonymousPaths: anonymousPaths(file['anonymous']) };
}

function anonymousPaths(value: unknown): ReadonlySet<string> | undefined {
  if (value === undefined) return undefined;
  const { enabled, conditions } = fields('anonymous', value, ['enabled', 'conditions']);
  const paths = list('anonymous.conditions', conditions).map((entry, index) => {
    const at = `anonymous.conditions[${index}]`;
    return text(`${at}.path`, fields(at, entry, ['path'])['path']);
  });
  if (enabled === true) return paths.length > 0 ? new Set(paths) : undefined;
  if (paths.length > 0) throw wrong('anonymous.conditions', 'must be empty when anonymous is not enabled');
  return new Set();
}

const issuerFields = ['issuer', 'claimValidationRules', 'claimMappings', 'userValidationRules'];

function readIssuer(at: string, entry: unknown): JwtIssuer {
  const raw = fields(at, entry, issuerFields);
  const mappings = `${at}.claimMappings`;
  const given = fields(mappings, raw['claimMappings'], ['username', 'groups', 'uid', 'extra']);
  const ruleTexts = list(`${at}.claimValidationRules`, raw['claimValidationRules']).map((rule, index) =>
    readClaimRule(`${at}.claimValidationRules[${index}]`, rule),
  );
  const username = readMapping(`${mappings}.username`, given['username']);
  const extra = list(`${mappings}.extra`, given['extra']).map((one, index) =>
    readExtra(`${mappings}.extra[${index}]`, one),
  );
  const expressions = [
    ...ruleTexts.map(({ expression }) => expression),
    ...extra.map((one) => one.expression),
  ];
  checkEmail(`${mappings}.username.expression`, username.expression, expressions);
  return {
    ...readServer(`${at}.issuer`, raw['issuer']),
    algorithms: knownAlgorithms,
    requiredClaims: Object.fromEntries(ruleTexts.flatMap(({ required }) => (required ? [required] : []))),
    claimRules: ruleTexts.flatMap(({ rule }) => rule ?? []),
    username: username.mapping,
    groups: optional(given['groups'], (value) => readMapping(`${mappings}.groups`, value).mapping),
    uid: optional(given['uid'], (value) => readUid(`${mappings}.uid`, value)),
    extra: extra.map(({ key, value }) => ({ key, value })),
    userRules: list(`${at}.userValidationRules`, raw['userValidationRules']).map((rule, index) =>
      readUserRule(`${at}.userValidationRules[${index}]`, rule),
    ),
  };
}

const serverFields = ['url', 'discoveryURL', 'certificateAuthority', 'audiences', 'audienceMatchPolicy'];

function readServer(
  at: string,
  value: unknown,
): Pick<JwtIssuer, 'url' | 'discoveryUrl' | 'ca' | 'audiences'> {
  const raw = fields(at, value, serverFields);
  const url = httpsUrl(`${at}.url`, raw['url']);
  const discoveryUrl = optional(raw['discoveryURL'], (one) => httpsUrl(`${at}.discoveryURL`, one));
  if (discoveryUrl === url) throw wrong(`${at}.discoveryURL`, 'must be another one than url');
  const ca = optional(raw['certificateAuthority'], (one) => text(`${at}.certificateAuthority`, one));
  if (ca !== undefined && readAuthorities(ca).length === 0)
    throw wrong(`${at}.certificateAuthority`, 'holds no certificate');
  const audiences = list(`${at}.audiences`, raw['audiences']).map((one, n) =>
    text(`${at}.audiences[${n}]`, one),
  );
  if (audiences.length === 0) throw wrong(`${at}.audiences`, 'is required');
  const policy = raw['audienceMatchPolicy'];
  if (policy !== 'MatchAny' && (policy || audiences.length > 1))
    throw wrong(`${at}.audienceMatchPolicy`, 'must be MatchAny for several audiences');
  return { url, discoveryUrl: discoveryUrl ?? discoveryUrlOf(url), ca, audiences };
}

interface ClaimRule {
  expression: string;
  rule: Rule | undefined;
  required: readonly [string, string] | undefined;
}

function readClaimRule(at: string, value: unknown): ClaimRule {
  const raw = fields(at, value, ['claim', 'requiredValue', 'expression', 'message']);
  if (raw['expression'] !== undefined) {
    if (raw['claim'] !== undefined || raw['requiredValue'] !== undefined)
      throw wrong(at, 'claim and expression exclude each other');
    const expression = text(`${at}.expression`, raw['expression']);
    return { expression, rule: readRule(at, raw, 'claims'), required: undefined };
  }
  if (raw['message'] !== undefined) throw wrong(`${at}.message`, 'is for expressions only');
  const required = [
    text(`${at}.claim`, raw['claim']),
    text(`${at}.requiredValue`, raw['requiredValue']),
  ] as const;
  return { expression: '', rule: undefined, required };
}

const readUserRule = (at: string, value: unknown): Rule =>
  readRule(at, fields(at, value, ['expression', 'message']), 'user');

const readRule = (at: string, raw: Fields, variable: 'claims' | 'user'): Rule => ({
  program: expressionOf(`${at}.expression`, raw['expression'], variable, 'bool'),
  message:
    optional(raw['message'], (one) => text(`${at}.message`, one)) ?? 'a validation expression is not true',
});

function readMapping(at: string, value: unknown): { mapping: Mapping; expression: string } {
  const raw = fields(at, value, ['claim', 'prefix', 'expression']);
  if (raw['expression'] !== undefined) {
    if (raw['claim'] !== undefined || raw['prefix'] !== undefined)
      throw wrong(at, 'claim and expression exclude each other');
    const program = expressionOf(`${at}.expression`, raw['expression'], 'claims');
    return { mapping: { program }, expression: String(raw['expression']) };
  }
  if (raw['prefix'] === undefined) throw wrong(`${at}.prefix`, 'is required with a claim; it may be ""');
  const prefix = raw['prefix'] === '' ? '' : text(`${at}.prefix`, raw['prefix']);
  return { mapping: { claim: text(`${at}.claim`, raw['claim']), prefix }, expression: '' };
}

function readUid(at: string, value: unknown): Mapping {
  const raw = fields(at, value, ['claim', 'expression']);
  if (raw['expression'] === undefined) return { claim: text(`${at}.claim`, raw['claim']), prefix: '' };
  if (raw['claim'] !== undefined) throw wrong(at, 'claim and expression exclude each other');
  return { program: expressionOf(`${at}.expression`, raw['expression'], 'claims') };
}

function readExtra(at: string, value: unknown): { key: string; value: Program; expression: string } {
  const raw = fields(at, value, ['key', 'valueExpression']);
  const key = text(`${at}.key`, raw['key']);
  const [domain = ''] = key.split('/', 1);
  if (!/^[a-z0-9.-]+\/[a-z0-9._~!$&'()*+,;=:@%/-]+$/.test(key))
    throw wrong(`${at}.key`, 'must be a path behind a domain, in lowercase');
  if (/(?:^|\.)(?:kubernetes|k8s)\.io$/.test(domain)) throw wrong(`${at}.key`, 'is of a reserved domain');
  const program = expressionOf(`${at}.valueExpression`, raw['valueExpression'], 'claims');
  return { key, value: program, expression: String(raw['valueExpression']) };
}

/** Whoever takes the address for the name must look whether it was verified. */
function checkEmail(at: string, username: string, others: readonly string[]): void {
  if (!/\bclaims\.email\b/.test(username)) return;
  if ([username, ...others].some((expression) => /\bemail_verified\b/.test(expression))) return;
  throw wrong(at, 'claims.email_verified must be used when claims.email is');
}

function expressionOf(at: string, value: unknown, variable: 'claims' | 'user', result?: 'bool'): Program {
  try {
    return compile(text(at, value), { variables: { [variable]: 'dyn' }, ...(result && { result }) });
  } catch (error) {
    if (error instanceof CelCompileError) throw wrong(at, error.message);
    throw error;
  }
}

const wrong = (at: string, what: string): Error => new Error(`${at || 'the file'}: ${what}`);

function fields(at: string, value: unknown, known: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(at, 'must be an object');
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown) throw wrong(at ? `${at}.${unknown}` : unknown, 'unknown field');
  return value as Fields;
}

function list(at: string, value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(at, 'must be a list');
  return value;
}

function text(at: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw wrong(at, 'must be a text, and not empty');
  return value;
}

function httpsUrl(at: string, value: unknown): string {
  const url = text(at, value);
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:') throw wrong(at, 'must be an https:// URL');
  return url;
}

const optional = <T>(value: unknown, read: (value: unknown) => T): T | undefined =>
  value === undefined || value === null || value === '' ? undefined : read(value);
