/** Server-side apply as kubectl does it: conflicts, force, migration from client-side apply, status, custom kinds. */
import t from 'tap';
import { argumentsOf, type Case, yaml } from './kubectl/case.js';
import { kubectls, type Ran, startMaster } from './kubectl/runner.js';

const deployment = (spec: object): string =>
  yaml({
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', labels: { app: 'web' } } },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'c', image: 'nginx:1', ports: [{ containerPort: 80 }] }] },
      },
      ...spec,
    },
  });

const service = (ports: object[]): string =>
  yaml({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports } });

const definition = yaml({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'boats.wherry.test' },
  spec: {
    group: 'wherry.test',
    scope: 'Namespaced',
    names: { plural: 'boats', singular: 'boat', kind: 'Boat' },
    versions: [
      {
        ...{ name: 'v1', served: true, storage: true },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  seats: { type: 'integer' },
                  crew: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                    items: {
                      type: 'object',
                      required: ['name'],
                      properties: { name: { type: 'string' }, role: { type: 'string' } },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
});
const boat = (spec: object): string =>
  yaml({ apiVersion: 'wherry.test/v1', kind: 'Boat', metadata: { name: 'b' }, spec });

const applied = (what: string): string => `${what} serverside-applied\n`;
const web = applied('deployment.apps/web');
const managers =
  "get deployment web --show-managed-fields -o 'jsonpath={range .metadata.managedFields[*]}{.manager}/{.operation}/{.subresource} {end}'";

const cases: Case[] = [
  { run: 'apply --server-side -f -', input: deployment({ replicas: 0 }), prints: web },
  { run: 'apply --server-side -f -', input: deployment({ replicas: 0 }), prints: web },
  { run: 'scale deployment web --replicas=3', prints: /scaled/ },
  {
    run: 'apply --server-side -f -',
    input: deployment({ replicas: 0 }),
    exit: 1,
    complains: /conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas/,
  },
  { run: 'apply --server-side -f -', input: deployment({}), prints: web },
  { run: 'get deployment web -o jsonpath={.spec.replicas}', prints: '3' },
  { run: 'apply --server-side --force-conflicts -f -', input: deployment({ replicas: 0 }), prints: web },
  { run: 'get deployment web -o jsonpath={.spec.replicas}', prints: '0' },
  { run: managers, prints: /^kubectl\/Apply\/ (?!.*scale)/ },
  {
    run: 'apply --server-side --dry-run=server -f -',
    input: deployment({ replicas: 5 }),
    prints: 'deployment.apps/web serverside-applied (server dry run)\n',
  },
  { run: 'get deployment web -o jsonpath={.spec.replicas}', prints: '0' },
  { run: 'diff --server-side -f -', input: deployment({ replicas: 0 }), prints: '' },
  {
    run: 'apply --server-side -f -',
    input: deployment({ replica: 1 }),
    exit: 1,
    complains: /\.spec\.replica: field not declared in schema/,
  },
  { run: 'delete deployment web', prints: /deleted/ },

  // From client-side apply: kubectl takes over what it applied before, and nothing is left behind.
  { run: 'apply -f -', input: deployment({ replicas: 0, paused: true }), prints: /created/ },
  { run: 'apply --server-side -f -', input: deployment({ replicas: 1 }), prints: web, since: 26 },
  { run: 'get deployment web -o jsonpath={.spec.replicas}-{.spec.paused}', prints: '1-', since: 26 },
  { run: managers, prints: /^(?!.*client-side)/, since: 26 },
  { run: 'apply -f -', input: deployment({ replicas: 2 }), prints: /configured/, since: 26 },
  { run: 'delete deployment web', prints: /deleted/ },

  // Lists by their keys.
  {
    run: 'apply --server-side -f -',
    input: service([{ port: 80, name: 'a' }]),
    prints: applied('service/s'),
  },
  {
    run: 'apply --server-side --field-manager=two -f -',
    input: service([{ port: 81, name: 'b' }]),
    prints: applied('service/s'),
  },
  { run: 'get service s -o jsonpath={.spec.ports[*].port}', prints: '80 81' },
  {
    run: 'apply --server-side --field-manager=two -f -',
    input: service([{ port: 82, name: 'b' }]),
    prints: applied('service/s'),
  },
  { run: 'get service s -o jsonpath={.spec.ports[*].port}', prints: '80 82' },

  // Custom kinds.
  { run: 'apply --server-side -f -', input: definition, prints: /serverside-applied/ },
  {
    run: 'apply --server-side -f -',
    input: boat({ seats: 2, crew: [{ name: 'ann' }] }),
    prints: applied('boat.wherry.test/b'),
    patient: true,
  },
  {
    run: 'apply --server-side --field-manager=two -f -',
    input: boat({ crew: [{ name: 'bob', role: 'cox' }] }),
    prints: applied('boat.wherry.test/b'),
  },
  { run: 'get boat b -o jsonpath={.spec.crew[*].name}', prints: 'ann bob' },
  {
    run: 'apply --server-side --field-manager=two -f -',
    input: boat({ seats: 3 }),
    exit: 1,
    complains: /conflict with "kubectl": \.spec\.seats/,
  },
  {
    run: 'apply --server-side -f -',
    input: boat({ crew: [{ name: 'ann' }] }),
    prints: applied('boat.wherry.test/b'),
  },
  { run: 'get boat b -o jsonpath={.spec.seats}', prints: '' },
  { run: 'delete crd boats.wherry.test', prints: /deleted/ },
];

t.setTimeout(600_000);
const { run, stop } = await startMaster();
t.teardown(stop);

const holds = ({ prints = /(?:)/, complains = /(?:)/, exit = 0 }: Case, ran: Ran): boolean =>
  ran.code === exit &&
  complains.test(ran.stderr) &&
  (typeof prints === 'string' ? prints === ran.stdout : prints.test(ran.stdout));

const minorOf = async (kubectl: string): Promise<number> => {
  const { stdout } = await run(kubectl, ['version', '--client', '-o', 'json']);
  return Number.parseInt(
    (JSON.parse(stdout) as { clientVersion: { minor: string } }).clientVersion.minor,
    10,
  );
};

for (const [index, kubectl] of kubectls.entries()) {
  const minor = await minorOf(kubectl);
  t.test(`server-side apply, with ${kubectl} of 1.${minor}`, async (t) => {
    const namespace = `serverside-${index}`;
    await run(kubectl, ['create', 'namespace', namespace]);
    for (const one of cases) {
      if (minor < (one.since ?? 0)) continue;
      const args = ['-n', namespace, ...argumentsOf(one.run)];
      let ran = await run(kubectl, args, one.input);
      for (let left = one.patient ? 20 : 0; left > 0 && !holds(one, ran); left -= 1)
        ran = await run(kubectl, args, one.input);
      t.ok(holds(one, ran), `kubectl ${one.run}`, { ...ran, input: one.input });
    }
  });
}
