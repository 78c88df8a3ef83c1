import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { isReason } from '../src/api/errors.js';
import {
  componentStatuses,
  configMaps,
  endpointSlices,
  endpoints,
  namespaces,
  priorityClasses,
  resourceType,
  serviceAccounts,
  serviceCidrs,
  services,
} from '../src/api/kinds.js';
import type { AuthenticationTokenRequest, SelfSubjectReview, Service, UserInfo } from '../src/api/types.js';
import { loadKubeconfig } from '../src/client/kubeconfig.js';
import { createRestClient, type RestClient } from '../src/client/rest.js';
import { systemClock } from '../src/host/clock.js';
import { LockHeld } from '../src/host/files.js';
import { silentLogger } from '../src/host/log.js';
import { createMaster, type Master } from './main.js';
import type { MasterOptions } from './options.js';
import { testOptions } from './testing.js';

const deps = { clock: systemClock, log: silentLogger };

async function optionsIn(directory: string): Promise<MasterOptions> {
  return testOptions(directory, { advertiseAddress: '10.0.0.1' });
}

/** As the administrator, at the port that the test's master took. */
async function clientOf(master: Master, options: MasterOptions): Promise<RestClient> {
  return createRestClient({ ...(await loadKubeconfig(options.adminKubeconfig)), server: master.url() });
}

/** As the service account `default`, with a token that it asked for. */
async function tokenClientOf(
  master: Master,
  options: MasterOptions,
  client: RestClient,
): Promise<RestClient> {
  const ref = { namespace: 'default', name: 'default' };
  const { status } = await client.post<AuthenticationTokenRequest>(serviceAccounts, ref, 'token', {
    spec: { expirationSeconds: 600 },
  });
  const { ca } = await loadKubeconfig(options.adminKubeconfig);
  return createRestClient({ ca, token: status?.token, server: master.url() });
}

const reviews = resourceType<SelfSubjectReview>(
  'authentication.k8s.io/v1',
  'selfsubjectreviews',
  'SelfSubjectReview',
  false,
);

const whoIs = async (client: RestClient): Promise<UserInfo | undefined> =>
  (await client.create(reviews, { metadata: {} })).status?.userInfo;

/** Calls until it stops saying "not found": controllers need a moment after a start. */
async function eventually<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      await systemClock.sleep(10, signal);
    }
  }
}

t.test('a whole master: what it makes is there, stays, and survives a restart', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-master-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const options = await optionsIn(directory);
  const { signal } = new AbortController();
  const ref = { namespace: 'default', name: 'kubernetes' };

  const first = createMaster(options, deps);
  await first.start(signal);
  t.same(first.healthy(), { ok: true, reason: '' });
  const client = await clientOf(first, options);
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
    t.ok(await client.get(namespaces, { name }), name);
  }
  const critical = await client.get(priorityClasses, { name: 'system-node-critical' });
  t.equal(critical.value, 2_000_001_000);
  t.same((await client.get(serviceCidrs, { name: 'kubernetes' })).spec?.cidrs, ['10.96.0.0/12']);
  t.same(
    (await client.list(componentStatuses, {})).items.map(({ metadata }) => metadata.name),
    ['scheduler', 'controller-manager', 'etcd-0'],
  );
  const service: Service = await client.get(services, ref);
  t.match(service.spec, { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] });
  t.match((await client.get(endpointSlices, ref)).endpoints, [{ addresses: ['10.0.0.1'] }]);
  t.ok(
    await eventually(() => client.get(serviceAccounts, { namespace: 'default', name: 'default' }), signal),
  );
  t.ok(
    await eventually(
      () => client.get(configMaps, { namespace: 'default', name: 'kube-root-ca.crt' }),
      signal,
    ),
  );

  const robot = await tokenClientOf(first, options, client);
  t.match(await whoIs(robot), {
    username: 'system:serviceaccount:default:default',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  });
  await t.rejects(robot.list(configMaps, {}), /configmaps is forbidden: User "system:serviceaccount:default/);
  t.match(await whoIs(client), { username: 'kubernetes-admin' });
  await robot.close();

  await client.delete(endpoints, ref);
  t.match(await eventually(() => client.get(endpoints, ref), signal), {
    subsets: [{ addresses: [{ ip: '10.0.0.1' }] }],
  });

  await t.rejects(createMaster(options, deps).start(signal), LockHeld, 'one master per data directory');
  await client.create(configMaps, { metadata: { name: 'kept', namespace: 'default' }, data: { a: 'b' } });
  await client.close();
  await first.stop();

  const second = createMaster(options, deps);
  await second.start(signal);
  const again = await clientOf(second, options);
  t.match(await again.get(configMaps, { namespace: 'default', name: 'kept' }), { data: { a: 'b' } });
  t.equal((await again.get(services, ref)).metadata.uid, service.metadata.uid);
  await again.close();
  await second.stop();
});
