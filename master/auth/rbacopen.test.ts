/** From the start of the roles to the first decision: who waits, for how long, and what may not keep them out. */
import t, { type Test } from 'tap';
import { ApiError } from '../../src/api/errors.js';
import { clusterRoles, namespaces } from '../../src/api/kinds.js';
import type { Client } from '../../src/client/client.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock, type FakeClock, settled } from '../../src/testing/clock.js';
import { createRegistryClient } from '../registry/client.js';
import { createTestRegistry } from '../registry/testing.js';
import { type Attributes, pathAttributes } from './auth.js';
import { createAuthorizer } from './authorizer.js';
import { createRbac, type Rbac } from './rbac.js';
import { createTestGraph } from './testing.js';

const asks = (user: string, ...groups: string[]): Attributes =>
  pathAttributes({ name: user, groups }, 'get', '/apis');
const joe = asks('joe', 'system:authenticated');

async function setUp(t: Test, change: (client: Client) => Client = (client) => client) {
  const clock = createFakeClock();
  const { registry } = await createTestRegistry({ clock });
  const client = createRegistryClient(registry, { name: 'master', groups: ['system:masters'] });
  for (const name of ['kube-system', 'kube-public']) await client.create(namespaces, { metadata: { name } });
  const rbac = createRbac({ client: change(client), clock, log: silentLogger });
  t.teardown(() => rbac.stop());
  return { clock, client, rbac };
}

/** Moves the clock on by so much until it is so. */
async function until(
  clock: FakeClock,
  stepMs: number,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    if (await isSo()) return;
    await clock.advance(stepMs);
    await settled();
  }
  throw new Error('it never came to be so');
}

const start = (rbac: Rbac): Promise<void> => rbac.start(new AbortController().signal);

t.test('questions wait for the roles', async (t) => {
  const { rbac, client } = await setUp(t);
  const authorizer = createAuthorizer({ rbac, graph: createTestGraph() });
  t.same(authorizer.authorize(asks('root', 'system:masters')), { allowed: true, reason: '' }, 'at once');
  const early = rbac.decide(joe);
  t.ok(early instanceof Promise);
  await start(rbac);
  t.match(await early, { allowed: true });
  t.notOk(rbac.decide(joe) instanceof Promise, 'no promise once open');
  const { items } = await client.list(clusterRoles, {});
  t.ok(items.some(({ metadata }) => metadata.name === 'view'));
});

t.test('but not for ever', async (t) => {
  const { rbac, clock } = await setUp(t);
  const refused = t.rejects(
    rbac.decide(joe) as Promise<unknown>,
    /the roles of the cluster are not read yet/,
  );
  await clock.advance(10_000);
  await refused;
});

t.test('default roles that cannot be written keep nobody out', async (t) => {
  let refusals = 0;
  const { rbac, client, clock } = await setUp(t, (client) => ({
    ...client,
    create: (type, object, options) => {
      if (object.metadata.name !== 'view' || refusals === 2) return client.create(type, object, options);
      refusals += 1;
      return Promise.reject(new ApiError('InternalError', 'a webhook failed'));
    },
  }));
  await start(rbac);
  const early = rbac.decide(joe) as Promise<unknown>;
  await until(clock, 0, () => refusals > 0);
  await clock.advance(5_000);
  t.match(await early, { allowed: true });
  await until(clock, 1_000, async () => {
    const { items } = await client.list(clusterRoles, {});
    return items.some(({ metadata }) => metadata.name === 'view');
  });
  t.equal(refusals, 2, 'written in the end');
});
