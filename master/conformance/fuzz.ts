/**
 * Makes requests for `fuzz.test.ts`: valid ones of every kind, then broken in places that parsers trip over. Everything
 * comes from one seeded chance, so that a seed repeats a run.
 */
import type { Resource } from '../resources/resource.js';
import { encodeProtobuf } from './encode.js';
import { pathOf, sampleOf } from './samples.js';

export interface Chance {
  /** In [0, 1). */
  next(): number;
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
  is(share: number): boolean;
}

/** Mulberry32. */
export function createChance(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    below: (limit) => Math.floor(next() * limit),
    pick: (from) => from[Math.floor(next() * from.length)] as (typeof from)[number],
    is: (share) => next() < share,
  };
}

export interface Fuzzed {
  bytes: Buffer;
  /** The connection is of no use after it. */
  ends: boolean;
  /** The answer has no body, whatever its head says. */
  isHead: boolean;
}

const values: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, -(2 ** 63), 2 ** 31, '', 'x', ' ', '0', '-1', '1e999'],
  ...[
    '\u0000',
    '\ud800',
    'é',
    '😀'.repeat(20),
    '../..',
    '%00',
    '$(x)',
    '{{x}}',
    'a'.repeat(300),
    'NaN',
    'true',
  ],
  ...[[], {}, [[]], [null], { a: null }, { constructor: 1 }, { toString: null }, { length: -1 }, ['a', 'a']],
  ...[
    { name: 1 },
    { hasOwnProperty: 'x' },
    [{}],
    { '': '' },
    { 'a/b/c': 'd' },
    'hasOwnProperty',
    '1Gi',
    '10m',
  ],
];

const oddValue = (chance: Chance): unknown => structuredClone(chance.pick(values));
const keyText = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');

/** Changes a few places of a JSON value, in place where it can. */
function mutate(chance: Chance, value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > 12) return oddValue(chance);
  if (Array.isArray(value)) {
    if (value.length === 0 || chance.is(0.2)) value.push(oddValue(chance));
    else if (chance.is(0.1)) value.push(...value);
    else {
      const at = chance.below(value.length);
      value[at] = chance.is(0.3) ? oddValue(chance) : mutate(chance, value[at], depth + 1);
    }
    return value;
  }
  const map = value as Record<string, unknown>;
  const keys = Object.keys(map);
  const key = keys.length === 0 || chance.is(0.1) ? keyText(chance.pick(values)) : chance.pick(keys);
  if (key === '__proto__') return value;
  if (chance.is(0.1)) delete map[key];
  else map[key] = chance.is(0.3) ? oddValue(chance) : mutate(chance, map[key], depth + 1);
  return value;
}

const texts = [
  '',
  'a',
  'a=b',
  'a in (b,c)',
  '!a',
  'a!=b,c',
  '((',
  ',,',
  'a=b=c',
  'metadata.name=sample-1',
  'spec.nodeName=',
];
const parameters = [
  ...[
    'labelSelector',
    'fieldSelector',
    'limit',
    'continue',
    'resourceVersion',
    'resourceVersionMatch',
    'pretty',
  ],
  ...[
    'dryRun',
    'fieldManager',
    'fieldValidation',
    'force',
    'gracePeriodSeconds',
    'propagationPolicy',
    'orphanDependents',
  ],
  ...[
    'includeObject',
    'sendInitialEvents',
    'allowWatchBookmarks',
    'timeout',
    'exclude',
    'verbose',
    '__proto__',
    'constructor',
  ],
];
const parameterValues = [
  ...[
    '',
    '0',
    '1',
    '-1',
    'true',
    'false',
    'All',
    'Strict',
    'Warn',
    'Ignore',
    'Exact',
    'NotOlderThan',
    'Background',
  ],
  ...[
    'Orphan',
    'Foreground',
    '99999999999999999999',
    '1e3',
    '%',
    '%zz',
    '%00',
    '%F0%9F%98%80',
    'e30',
    'eyJ2IjoxfQ',
    'null',
  ],
];

function query(chance: Chance, most: number): string {
  const parts: string[] = [];
  for (let n = chance.below(most + 1); n > 0; n--) {
    const value = chance.is(0.3) ? encodeURIComponent(chance.pick(texts)) : chance.pick(parameterValues);
    parts.push(`${chance.pick(parameters)}=${value}`);
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

const subresources = [
  'status',
  'scale',
  'log',
  'exec',
  'binding',
  'finalize',
  'approval',
  'eviction',
  'token',
  'proxy/x',
  'nothing',
  '%00',
  '__proto__',
];
const oddPaths = [
  ...[
    '/',
    '//',
    '/api',
    '/apis',
    '/apis/',
    '/api/v1',
    '/apis/apps',
    '/apis/apps/v1',
    '/version',
    '/healthz/x',
    '/readyz?verbose',
  ],
  ...[
    '/openapi/v2',
    '/openapi/v3',
    '/openapi/v3/api/v1',
    '/openapi/v3/x',
    '/metrics',
    '/api/v1/%',
    '/api/v1/%2e%2e/',
    '/apis/__proto__/v1/x',
  ],
  ...[
    '/api/v1/namespaces//pods',
    '/api/v1/namespaces/%00/pods',
    '/api/v1/watch/pods',
    '/api/v1/namespaces/default/pods/a%2fb',
    '/.well-known/openid-configuration',
    '/openid/v1/jwks',
  ],
];
const heavyPaths: ReadonlySet<string> = new Set(['/openapi/v2', '/openapi/v3/api/v1']);

const types = [
  ...[
    'application/json',
    'application/yaml',
    'application/vnd.kubernetes.protobuf',
    'application/json-patch+json',
  ],
  ...[
    'application/merge-patch+json',
    'application/strategic-merge-patch+json',
    'application/apply-patch+yaml',
  ],
  ...[
    'text/plain',
    '',
    ';',
    'application/json; charset=x',
    'APPLICATION/JSON',
    'application/cbor',
    'a'.repeat(200),
  ],
];
const accepts = [
  ...[
    'application/json',
    '*/*',
    'application/json;as=Table;v=v1;g=meta.k8s.io',
    'application/vnd.kubernetes.protobuf,*/*',
  ],
  ...[
    'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
    ';;;,,,',
    'q=0',
    'application/json;q=-1',
    'text/html',
  ],
];

const deep = (depth: number): string => `${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}`;
const yamlBomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
  .split('')
  .map((name, n) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[n]}`).join(',')}]`)
  .join('\n')}\n`;
const oddBodies = [
  ...[
    deep(100),
    deep(400),
    deep(3000),
    yamlBomb,
    '',
    '{',
    '[]',
    'null',
    '0',
    '"x"',
    '{"__proto__":{"polluted":1}}',
    '\ufeff{}',
  ],
  ...[
    '{"metadata":{"__proto__":{"name":"x"},"name":"y"}}',
    '{"kind":"Pod","kind":"Node"}',
    '- a\n- b',
    '? a\n: b',
    '!!js/function x',
  ],
  ...[
    'a: !!binary x',
    'a: 2001-01-01',
    '--- \n---\n',
    '{"metadata":{"name":1e999}}',
    '{"metadata":{"labels":{"a":1}}}',
    `{"a":${'9'.repeat(400)}}`,
  ],
  ...[
    '{"kind":"DeleteOptions","gracePeriodSeconds":1e30}',
    '{"kind":"DeleteOptions","preconditions":[]}',
    '{"dryRun":["All",1]}',
    'k8s\u0000',
    '<<: *x',
  ],
];

const operations = ['add', 'remove', 'replace', 'move', 'copy', 'test', 'fly'];
const pointers = [
  '',
  '/',
  '/metadata',
  '/metadata/name',
  '/metadata/labels/a',
  '/spec',
  '/spec/-',
  '/spec/containers/0',
  '/spec/containers/99',
  '/a/b/c',
  '/__proto__/x',
  '/constructor/prototype/x',
  '~2',
  '/metadata/resourceVersion',
  '/status',
];

function body(chance: Chance, row: Resource, n: number): Buffer {
  const kind = chance.below(10);
  if (kind === 0) return Buffer.from(chance.pick(oddBodies));
  if (kind === 1) {
    const patch = Array.from({ length: 1 + chance.below(4) }, () => ({
      op: chance.pick(operations),
      path: chance.pick(pointers),
      from: chance.pick(pointers),
      value: oddValue(chance),
    }));
    return Buffer.from(JSON.stringify(patch));
  }
  const sample: unknown = structuredClone(sampleOf(row, n));
  for (let times = chance.below(4); times > 0; times--) mutate(chance, sample);
  const bytes = kind < 4 ? encodeProtobuf(row.type, sample as object) : Buffer.from(JSON.stringify(sample));
  return chance.is(0.15) ? damaged(chance, bytes) : bytes;
}

/** Cut off, or with a few bytes flipped. */
function damaged(chance: Chance, bytes: Buffer): Buffer {
  if (chance.is(0.5)) return bytes.subarray(0, chance.below(bytes.length + 1));
  const copy = Buffer.from(bytes);
  for (let n = 1 + chance.below(4); n > 0 && copy.length > 0; n--)
    copy[chance.below(copy.length)] = chance.below(256);
  return copy;
}

const methods = ['GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT', 'PATCH', 'PATCH', 'DELETE', 'OPTIONS'];

function pathFor(chance: Chance, row: Resource, method: string, n: number): string {
  if (chance.is(0.04)) {
    const odd = chance.pick(oddPaths);
    return heavyPaths.has(odd) && chance.is(0.98) ? '/api' : odd;
  }
  const name = sampleOf(row, n).metadata.name ?? '';
  let path = method === 'POST' ? pathOf(row) : pathOf(row, name);
  if (method !== 'POST' && chance.is(0.2)) path = pathOf(row);
  if (chance.is(0.15)) path = `${pathOf(row, name)}/${chance.pick(subresources)}`;
  return path + query(chance, 3);
}

export function nextRequest(chance: Chance, rows: readonly Resource[]): Fuzzed {
  const row = chance.pick(rows);
  const n = chance.below(4);
  const method = chance.pick(methods);
  const path = pathFor(chance, row, method, n);
  const head = [`${method} ${path} HTTP/1.1`, 'host: x', 'authorization: Bearer admin-token'];
  if (chance.is(0.3)) head.push(`accept: ${chance.pick(accepts)}`);
  if (chance.is(0.01)) head.push(`x-odd: ${'x'.repeat(chance.pick([10, 8_000, 8_000, 8_000, 70_000]))}`);
  if (chance.is(0.05))
    head.push(
      chance.pick([
        'accept-encoding: gzip',
        'user-agent: curl/8',
        'audit-id: ../x',
        'impersonate-user: bob',
        'x-forwarded-for: x',
      ]),
    );
  const content = ['GET', 'HEAD', 'OPTIONS'].includes(method) ? Buffer.alloc(0) : body(chance, row, n);
  if (content.length > 0 || chance.is(0.05)) head.push(`content-type: ${typeFor(chance, method, content)}`);
  return { ...framed(chance, head, content), isHead: method === 'HEAD' };
}

function typeFor(chance: Chance, method: string, content: Buffer): string {
  if (chance.is(0.1)) return chance.pick(types);
  if (content.subarray(0, 3).toString() === 'k8s') return 'application/vnd.kubernetes.protobuf';
  if (method !== 'PATCH') return chance.is(0.1) ? 'application/yaml' : 'application/json';
  if (content[0] === 0x5b) return 'application/json-patch+json';
  return chance.pick(types.slice(4, 7));
}

/** Mostly by the rules of HTTP, sometimes not. */
function framed(chance: Chance, head: string[], content: Buffer): Omit<Fuzzed, 'isHead'> {
  if (content.length > 0 && chance.is(0.005)) {
    const chunk = chance.is(0.5)
      ? `${content.length.toString(16)}\r\n`
      : chance.pick(['zz\r\n', '-1\r\n', 'ffffffffffffffff\r\n', '\r\n']);
    const start = Buffer.from(`${[...head, 'transfer-encoding: chunked'].join('\r\n')}\r\n\r\n${chunk}`);
    return { bytes: Buffer.concat([start, content, Buffer.from('\r\n0\r\n\r\n')]), ends: true };
  }
  if (chance.is(0.003)) {
    const length = chance.pick(['-1', '1e3', '0x10', '99999999999999999999', `${content.length}, 3`]);
    return {
      bytes: Buffer.concat([
        Buffer.from(`${[...head, `content-length: ${length}`].join('\r\n')}\r\n\r\n`),
        content,
      ]),
      ends: true,
    };
  }
  if (chance.is(0.003))
    return { bytes: damaged(chance, Buffer.from(`${head.join('\r\n')}\r\n\r\n`)), ends: true };
  const whole = Buffer.concat([
    Buffer.from(`${[...head, `content-length: ${content.length}`].join('\r\n')}\r\n\r\n`),
    content,
  ]);
  if (chance.is(0.003)) return { bytes: Buffer.concat([whole, whole, whole]), ends: true };
  return { bytes: whole, ends: false };
}
