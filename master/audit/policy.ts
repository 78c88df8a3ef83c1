/**
 * Which requests are written down, and how much of each: an audit.k8s.io/v1 Policy, read strictly, and its rules. Pure.
 *
 * The first rule that matches decides; without one nothing is written. What the fields mean is documented with Kubernetes'
 * audit policy.
 */
import { parse } from 'yaml';
import { type Level, levels, type Stage, stages } from './event.js';

export interface Policy {
  omitStages: ReadonlySet<Stage>;
  omitManagedFields: boolean;
  rules: readonly Rule[];
}

interface Rule {
  level: Level;
  users: readonly string[];
  userGroups: readonly string[];
  verbs: readonly string[];
  resources: readonly GroupResources[];
  namespaces: readonly string[];
  nonResourceURLs: readonly string[];
  omitStages: readonly Stage[];
  omitManagedFields: boolean | undefined;
}

interface GroupResources {
  group: string;
  resources: readonly string[];
  resourceNames: readonly string[];
}

/** What rules look at. */
export interface Audited {
  user: { name: string; groups: readonly string[] } | undefined;
  verb: string;
  /** Of a request that is about no resource. */
  path: string;
  target:
    | {
        group: string;
        resource: string;
        subresource: string;
        namespace: string | undefined;
        name: string | undefined;
      }
    | undefined;
}

export interface Verdict {
  level: Level;
  omitStages: ReadonlySet<Stage>;
  omitManagedFields: boolean;
}

const nothing: Verdict = { level: 'None', omitStages: new Set(), omitManagedFields: false };

export function verdictOf(policy: Policy, request: Audited): Verdict {
  const rule = policy.rules.find((candidate) => matches(candidate, request));
  if (!rule || rule.level === 'None') return nothing;
  const { omitStages } = policy;
  return {
    level: rule.level,
    omitStages: rule.omitStages.length === 0 ? omitStages : new Set([...omitStages, ...rule.omitStages]),
    omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields,
  };
}

function matches(rule: Rule, request: Audited): boolean {
  const { user, verb } = request;
  if (rule.users.length > 0 && !(user && rule.users.includes(user.name))) return false;
  if (rule.userGroups.length > 0 && !user?.groups.some((group) => rule.userGroups.includes(group)))
    return false;
  if (rule.verbs.length > 0 && !rule.verbs.includes(verb)) return false;
  if (rule.namespaces.length > 0 || rule.resources.length > 0) return matchesResource(rule, request);
  if (rule.nonResourceURLs.length > 0)
    return !request.target && rule.nonResourceURLs.some((pattern) => matchesPath(pattern, request.path));
  return true;
}

function matchesResource(rule: Rule, { target }: Audited): boolean {
  if (!target) return false;
  if (rule.namespaces.length > 0 && !rule.namespaces.includes(target.namespace ?? '')) return false;
  return rule.resources.length === 0 || rule.resources.some((entry) => isIn(entry, target));
}

function isIn(entry: GroupResources, target: NonNullable<Audited['target']>): boolean {
  if (entry.group !== target.group) return false;
  if (entry.resources.length === 0) return true;
  if (entry.resourceNames.length > 0 && !entry.resourceNames.includes(target.name ?? '')) return false;
  const { resource, subresource } = target;
  const whole = subresource === '' ? resource : `${resource}/${subresource}`;
  return entry.resources.some(
    (pattern) =>
      pattern === '*' ||
      pattern === whole ||
      pattern === `${resource}/*` ||
      (subresource !== '' && pattern === `*/${subresource}`),
  );
}

const matchesPath = (pattern: string, path: string): boolean =>
  pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.replace(/\*+$/, '')));

/** Throws with every problem of the text, by path. */
export function parsePolicy(text: string): Policy {
  const problems: string[] = [];
  const reader = new Reader(problems);
  const raw = reader.object('', parse(text), policyFields);
  if (raw['apiVersion'] !== 'audit.k8s.io/v1') problems.push('apiVersion: must be audit.k8s.io/v1');
  if (raw['kind'] !== 'Policy') problems.push('kind: must be Policy');
  const rules = reader
    .list('rules', raw['rules'])
    .map((rule, index) => readRule(reader, `rules[${index}]`, rule));
  if (rules.length === 0) problems.push('rules: a policy without rules writes nothing down');
  const policy = {
    omitStages: new Set(reader.stages('omitStages', raw['omitStages'])),
    omitManagedFields: reader.flag('omitManagedFields', raw['omitManagedFields']) ?? false,
    rules,
  };
  if (problems.length > 0) throw new Error(`not a valid audit policy: ${problems.join('; ')}`);
  return policy;
}

const policyFields = ['apiVersion', 'kind', 'metadata', 'rules', 'omitStages', 'omitManagedFields'];
const ruleFields = [
  ...['level', 'users', 'userGroups', 'verbs', 'resources', 'namespaces', 'nonResourceURLs'],
  ...['omitStages', 'omitManagedFields'],
];
const resourceFields = ['group', 'resources', 'resourceNames'];

function readRule(reader: Reader, at: string, value: unknown): Rule {
  const raw = reader.object(at, value, ruleFields);
  const text = (field: string): string[] => reader.texts(`${at}.${field}`, raw[field]);
  const rule = {
    level: reader.oneOf(`${at}.level`, raw['level'], levels) ?? 'None',
    users: text('users'),
    userGroups: text('userGroups'),
    verbs: text('verbs'),
    resources: reader
      .list(`${at}.resources`, raw['resources'])
      .map((entry, index) => readResources(reader, `${at}.resources[${index}]`, entry)),
    namespaces: text('namespaces'),
    nonResourceURLs: text('nonResourceURLs'),
    omitStages: reader.stages(`${at}.omitStages`, raw['omitStages']),
    omitManagedFields: reader.flag(`${at}.omitManagedFields`, raw['omitManagedFields']),
  };
  for (const url of rule.nonResourceURLs) reader.checkUrl(`${at}.nonResourceURLs`, url);
  if (rule.nonResourceURLs.length > 0 && rule.resources.length + rule.namespaces.length > 0)
    reader.problem(`${at}.nonResourceURLs`, 'rules cannot apply to both regular resources and other URLs');
  return rule;
}

function readResources(reader: Reader, at: string, value: unknown): GroupResources {
  const raw = reader.object(at, value, resourceFields);
  const entry = {
    group: reader.text(`${at}.group`, raw['group']),
    resources: reader.texts(`${at}.resources`, raw['resources']),
    resourceNames: reader.texts(`${at}.resourceNames`, raw['resourceNames']),
  };
  if (entry.resourceNames.length > 0 && entry.resources.length === 0)
    reader.problem(`${at}.resourceNames`, 'needs resources to be named');
  if (entry.group !== '' && !/^[a-z0-9.-]+$/.test(entry.group))
    reader.problem(`${at}.group`, 'must be the name of an API group, without a version');
  return entry;
}

/** Reads fields of decoded YAML and remembers what is wrong with them. */
class Reader {
  readonly #problems: string[];

  constructor(problems: string[]) {
    this.#problems = problems;
  }

  problem(at: string, what: string): void {
    this.#problems.push(`${at}: ${what}`);
  }

  object(at: string, value: unknown, fields: readonly string[]): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.problem(at || 'the file', 'must be an object');
      return {};
    }
    for (const field of Object.keys(value))
      if (!fields.includes(field)) this.problem(at ? `${at}.${field}` : field, 'unknown field');
    return value as Record<string, unknown>;
  }

  list(at: string, value: unknown): unknown[] {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.problem(at, 'must be a list');
    return [];
  }

  text(at: string, value: unknown): string {
    if (value === undefined || value === null) return '';
    if (typeof value === 'string') return value;
    this.problem(at, 'must be a string');
    return '';
  }

  texts(at: string, value: unknown): string[] {
    return this.list(at, value).map((item, index) => this.text(`${at}[${index}]`, item));
  }

  flag(at: string, value: unknown): boolean | undefined {
    if (value === undefined || value === null || typeof value === 'boolean') return value ?? undefined;
    this.problem(at, 'must be true or false');
    return undefined;
  }

  oneOf<T extends string>(at: string, value: unknown, known: readonly T[]): T | undefined {
    const found = known.find((name) => name === value);
    if (found === undefined) this.problem(at, `must be one of ${known.join(', ')}`);
    return found;
  }

  stages(at: string, value: unknown): Stage[] {
    return this.list(at, value).flatMap((item, index) => this.oneOf(`${at}[${index}]`, item, stages) ?? []);
  }

  checkUrl(at: string, url: string): void {
    if (url === '*') return;
    if (!url.startsWith('/')) this.problem(at, `${JSON.stringify(url)} must begin with / or be *`);
    else if (url.slice(0, -1).includes('*'))
      this.problem(at, `${JSON.stringify(url)}: * stands at the end only`);
  }
}
