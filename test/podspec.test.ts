/**
 * No field of PodSpec is forgotten: the schema is walked, and each of its fields has a verdict in a table of
 * `test/podspec/`, which is then put to the test. A new release of the API with a new field fails here until somebody
 * says what becomes of it.
 */
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { validateEphemeralUpdate } from '../master/registry/kinds/podephemeral.js';
import { builtinSchema, type TypeNode } from '../src/api/schema/table.js';
import type { PodSpec } from '../src/api/types.js';
import { pod as build } from '../src/testing/builders.js';
import { containerRows } from './podspec/containers.js';
import { createPlanner, type Plan, type Planner } from './podspec/plan.js';
import { podRows } from './podspec/pod.js';
import type { Verdict } from './podspec/verdicts.js';
import { volumeRows } from './podspec/volumes.js';

/** Every field that holds a value, as a path from the spec; `[]` stands for any item of a list. */
function leaves(type: TypeNode, path: string): string[] {
  if (type.kind === 'list') return leaves(type.item, `${path}[]`);
  if (type.kind !== 'object' || type.fields.size === 0) return [path];
  return [...type.fields.values()].flatMap((field) =>
    leaves(field.type, path === '' ? field.name : `${path}.${field.name}`),
  );
}

const rows = [...volumeRows, ...containerRows, ...podRows];
const paths = leaves(builtinSchema.object('PodSpec'), '');
const isCovered = (row: string, path: string): boolean =>
  row.endsWith('.**') ? path.startsWith(row.slice(0, -2)) || path === row.slice(0, -3) : row === path;
const lastName = (path: string): string =>
  path
    .replace(/(\[\])?(\.\*\*)?$/, '')
    .replace(/^.*\./, '')
    .replace(/\[\]$/, '');

t.test('every field has one verdict, every verdict a field', async (t) => {
  t.ok(paths.length > 700, `${paths.length} fields`);
  const counts = new Map(paths.map((path) => [path, rows.filter(([row]) => isCovered(row, path)).length]));
  t.same(
    [...counts].filter(([, count]) => count === 0).map(([path]) => path),
    [],
    'fields without a verdict',
  );
  t.same(
    [...counts].filter(([, count]) => count > 1).map(([path]) => path),
    [],
    'fields with more than one',
  );
  const idle = rows.filter(([row]) => !paths.some((path) => isCovered(row, path)));
  t.same(
    idle.map(([row]) => row),
    [],
    'verdicts without a field',
  );
});

type Of<V extends Verdict['verdict']> = Extract<Verdict, { verdict: V }>;

function rowsWith<V extends Verdict['verdict']>(verdict: V): [string, Of<V>][] {
  return rows.flatMap(([path, row]) =>
    row.verdict === verdict ? [[path, row as Of<V>] as [string, Of<V>]] : [],
  );
}

/** Rows that stand for several fields are planned once. */
function createMemo(plan: Planner): Planner {
  const known = new Map<string, Promise<Plan>>();
  return (spec, given = {}) => {
    const key = JSON.stringify([spec, given]);
    const planned = known.get(key) ?? plan(spec, given);
    known.set(key, planned);
    return planned;
  };
}

t.test('what is honoured shows, and does not without the field', { timeout: 120_000 }, async (t) => {
  const planOf = createMemo(await createPlanner(t));
  for (const [path, { spec, without = {}, given, see, isNeeded }] of rowsWith('honoured')) {
    const [withIt, withoutIt] = [await planOf(spec, given), await planOf(without, given)];
    t.equal(withIt.refused, undefined, `${path} is not refused`);
    if (isNeeded) {
      t.type(withoutIt.refused, 'string', `${path}: the pod without it is refused`);
      continue;
    }
    t.equal(withoutIt.refused, undefined, `${path}: the pod without it is not refused`);
    if (typeof see === 'function') {
      t.equal(see(withIt), true, path);
      t.equal(see(withoutIt), false, `${path} makes the difference`);
    } else {
      t.match(withIt, see, path);
      t.notMatch(withoutIt, see, `${path} makes the difference`);
    }
  }
});

const documentation = await readFile('docs/compatibility.md', 'utf8');
const section = /\n## Pods\n([\s\S]*?)\n## /.exec(documentation)?.[1] ?? '';

t.test('what is refused says so, here and in the documentation', { timeout: 120_000 }, async (t) => {
  const planOf = createMemo(await createPlanner(t));
  for (const [path, { spec, given, message, word }] of rowsWith('refused')) {
    t.match((await planOf(spec, given)).refused ?? 'nothing was refused', message, path);
    t.ok(section.includes(word ?? lastName(path)), `docs/compatibility.md has ${path}`);
  }
});

t.test('what only some runtimes can is refused on others by its name', async (t) => {
  const planOf = await createPlanner(t);
  const none = {
    recursiveReadOnly: false,
    userNamespaces: false,
    strictSupplementalGroups: false,
    imageVolumes: false,
    runtimeHandlers: [],
    seccomp: false,
    appArmor: false,
  };
  const cases: [Partial<PodSpec>, RegExp][] = [
    [{ hostUsers: false }, /spec\.hostUsers/],
    [
      { securityContext: { supplementalGroupsPolicy: 'Strict' } },
      /spec\.securityContext\.supplementalGroupsPolicy/,
    ],
    [
      { securityContext: { seccompProfile: { type: 'RuntimeDefault' } } },
      /spec\.securityContext\.seccompProfile/,
    ],
    [
      { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } },
      /spec\.securityContext\.appArmorProfile/,
    ],
    [
      { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } },
      /sysctls: forbidden sysctl: "kernel.msgmax"/,
    ],
    [{ runtimeClassName: 'none' }, /spec\.runtimeClassName: RuntimeClass "none" not found/],
    [{ runtimeClassName: 'strange' }, /spec\.runtimeClassName: no runtime for "nobody-has-it" is configured/],
    [{ subdomain: 's'.repeat(60), setHostnameAsFQDN: true }, /spec\.setHostnameAsFQDN: .* is too long/],
    [
      {
        volumes: [{ name: 'v', image: { reference: 'x' } }],
        containers: [{ name: 'c', image: 'app:1', volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
      },
      /^FailedMount v: volume type image is not supported/,
    ],
    [
      {
        volumes: [{ name: 'v', emptyDir: {} }],
        initContainers: [
          {
            name: 'c',
            image: 'app:1',
            volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true, recursiveReadOnly: 'Enabled' }],
          },
        ],
      },
      /spec\.initContainers\{c\}\.volumeMounts\.recursiveReadOnly/,
    ],
  ];
  for (const [spec, message] of cases)
    t.match((await planOf(spec, { features: none })).refused ?? 'nothing was refused', message);
});

t.test('what the API does not take for ephemeral containers', async (t) => {
  const old = build('web', { spec: { volumes: [{ name: 'v', emptyDir: {} }] } });
  for (const [path, { container, message }] of rowsWith('invalid')) {
    const one = {
      name: 'debug',
      image: 'app:1',
      terminationMessagePolicy: 'File',
      imagePullPolicy: 'Always',
    };
    const spec = { containers: [], ...old.spec, ephemeralContainers: [{ ...one, ...container }] };
    const errors = validateEphemeralUpdate({ ...old, spec }, old);
    t.match(
      errors.map(({ field, type, detail }) => `${field}: ${type}: ${detail}`).join('\n'),
      message,
      path,
    );
  }
});

t.test('what has no effect is listed', async (t) => {
  for (const [path, { word }] of rowsWith('listed')) {
    t.ok(section.includes(`\`${word ?? lastName(path)}`), `docs/compatibility.md has ${path}`);
  }
});

t.test('what others look after is in their files', async (t) => {
  for (const [path, { files, word = lastName(path) }] of rowsWith('tested')) {
    for (const file of files) {
      const text = await readFile(file, 'utf8').catch(() => '');
      t.ok(new RegExp(`\\b${word}\\b`).test(text), `${path}: ${word} is in ${file}`);
    }
  }
});
