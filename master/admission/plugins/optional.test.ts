import t from 'tap';
import { configMaps, pods, services } from '../../../src/api/kinds.js';
import type { ConfigMap, Pod, Service } from '../../../src/api/types.js';
import type { Attributes, Authorizer } from '../../auth/auth.js';
import { createAlwaysPullImages } from './alwayspullimages.js';
import { createDenyServiceExternalIps } from './denyserviceexternalips.js';
import { createOwnerReferencesPermissionEnforcement } from './ownerreferences.js';
import { createPluginBed } from './testing.js';

const inDefault = (name: string) => ({ namespace: 'default', name });

t.test('AlwaysPullImages', async (t) => {
  const bed = await createPluginBed([createAlwaysPullImages]);
  t.teardown(() => bed.close());
  const pod = {
    metadata: inDefault('web'),
    spec: {
      containers: [{ name: 'a', image: 'a', imagePullPolicy: 'Never' }],
      initContainers: [{ name: 'b', image: 'b' }],
    },
  } as Pod;
  const { spec } = await bed.client.create(pods, pod);
  t.equal(spec?.containers[0]?.imagePullPolicy, 'Always');
  t.equal(spec?.initContainers?.[0]?.imagePullPolicy, 'Always');
  const body = {
    spec: { ephemeralContainers: [{ name: 'c', image: 'c', imagePullPolicy: 'IfNotPresent' }] },
  };
  const debugged = await bed.client.patch(
    pods,
    inDefault('web'),
    { type: 'strategic', body },
    { subresource: 'ephemeralcontainers' },
  );
  t.equal(debugged.spec?.ephemeralContainers?.[0]?.imagePullPolicy, 'Always');
});

t.test('what runs already keeps its pull policy', async (t) => {
  const old = {
    metadata: inDefault('web'),
    spec: { containers: [{ name: 'a', image: 'a', imagePullPolicy: 'Never' }] },
  };
  const bed = await createPluginBed([createAlwaysPullImages], {
    before: (client) => client.create(pods, old as Pod),
  });
  t.teardown(() => bed.close());
  const labels = { type: 'merge' as const, body: { metadata: { labels: { a: 'b' } } } };
  await t.resolves(bed.client.patch(pods, inDefault('web'), labels));
});

t.test('DenyServiceExternalIPs', async (t) => {
  const service = (name: string, externalIPs: string[]): Service => ({
    metadata: inDefault(name),
    spec: {
      type: 'ExternalName',
      externalName: 'a.example',
      externalIPs,
      ...(externalIPs.length > 0 && { externalTrafficPolicy: 'Cluster' }),
    },
  });
  const bed = await createPluginBed([createDenyServiceExternalIps], {
    before: (client) => client.create(services, service('old', ['1.2.3.4', '1.2.3.5'])),
  });
  t.teardown(() => bed.close());
  const message = 'services "new" is forbidden: Use of external IPs is denied by admission control';
  await t.rejects(bed.client.create(services, service('new', ['1.2.3.4'])), { code: 403, message });
  await t.resolves(bed.client.create(services, service('new', [])));
  const change = (externalIPs: string[]) =>
    bed.client.patch(services, inDefault('old'), { type: 'merge', body: { spec: { externalIPs } } });
  await t.resolves(change(['1.2.3.5']));
  await t.rejects(change(['1.2.3.5', '9.9.9.9']), { code: 403 });
});

t.test('OwnerReferencesPermissionEnforcement', async (t) => {
  const asked: string[] = [];
  let allowed = true;
  const authorizer = {
    authorize: ({ verb, resource, subresource, name }: Attributes) => {
      asked.push(`${verb} ${resource}/${subresource} ${name}`);
      return { allowed, reason: 'no rule' };
    },
  } as Authorizer;
  const bed = await createPluginBed([createOwnerReferencesPermissionEnforcement], { authorizer });
  t.teardown(() => bed.close());
  const owned = (blockOwnerDeletion: boolean, kind = 'Deployment'): ConfigMap => ({
    metadata: {
      ...inDefault('owned'),
      ownerReferences: [{ apiVersion: 'apps/v1', kind, name: 'd', uid: 'u', blockOwnerDeletion }],
    },
  });
  await bed.client.create(configMaps, owned(false));
  t.strictSame(asked, [], 'who creates may say who owns');
  await bed.client.update(configMaps, owned(true));
  t.strictSame(asked.splice(0), ['delete configmaps/ owned', 'update deployments/finalizers d']);
  await bed.client.update(configMaps, { ...owned(true), data: { a: 'b' } });
  t.strictSame(asked, [], 'nothing about owners changes');
  allowed = false;
  await t.rejects(bed.client.update(configMaps, owned(false)), {
    code: 403,
    message:
      'configmaps "owned" is forbidden: cannot set an ownerRef on a resource you can\'t delete: no rule',
  });
  const other = { ...owned(true), metadata: { ...owned(true).metadata, name: 'other' } };
  await t.rejects(bed.client.create(configMaps, other), { message: /you can't set finalizers on: no rule/ });
  const unknown = { metadata: { ...owned(true, 'Nothing').metadata, name: 'other' } };
  await t.rejects(bed.client.create(configMaps, unknown), {
    message: /cannot find RESTMapping for APIVersion apps\/v1 Kind Nothing/,
  });
});
