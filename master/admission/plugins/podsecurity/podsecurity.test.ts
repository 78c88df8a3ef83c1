import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import { cronJobs, deployments, namespaces, pods } from '../../../../src/api/kinds.js';
import type { KubeObject, Namespace, Pod } from '../../../../src/api/types.js';
import type { RequestContext } from '../../../registry/registry.js';
import { contextOf } from '../../../registry/testing.js';
import { createPluginBed, type PluginBed } from '../testing.js';
import { createPodSecurity } from './podsecurity.js';

const metrics = new Registry();

const plain = (name: string, more: Record<string, unknown> = {}): Pod =>
  ({
    metadata: { name, namespace: 'locked' },
    spec: { containers: [{ name: 'c', image: 'i' }], ...more },
  }) as Pod;

const hardenedSpec = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [
    {
      name: 'c',
      image: 'i',
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    },
  ],
};

const labelled = (name: string, labels: Record<string, string>): Namespace => ({
  metadata: {
    name,
    labels: Object.fromEntries(
      Object.entries(labels).map(([mode, level]) => [`pod-security.kubernetes.io/${mode}`, level]),
    ),
  },
});

async function bedOf(t: Test, configuration?: unknown): Promise<PluginBed> {
  const bed = await createPluginBed([
    (deps) =>
      createPodSecurity({ ...deps, configuration: new Map([['PodSecurity', configuration]]), metrics }),
  ]);
  t.teardown(() => {
    metrics.clear();
    return bed.close();
  });
  return bed;
}

function recording(more: Partial<RequestContext> = {}) {
  const annotations: Record<string, string> = {};
  const context = contextOf({
    annotate: (key, value) => {
      annotations[key.replace('pod-security.kubernetes.io/', '')] = value;
    },
    ...more,
  });
  return { context, annotations };
}

const create = (bed: PluginBed, resource: string, object: KubeObject, context: RequestContext) =>
  bed.registry.create(bed.rowOf(resource), object.metadata.namespace, object, context);

const restrictedProblems =
  'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ' +
  'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
  'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
  'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")';

t.test('enforce refuses pods in the words of Kubernetes, and says so to the audit log', async (t) => {
  const bed = await bedOf(t);
  await bed.client.create(namespaces, labelled('locked', { enforce: 'restricted', audit: 'baseline' }));
  const { context, annotations } = recording();
  await t.rejects(create(bed, 'pods', plain('x'), context), {
    code: 403,
    reason: 'Forbidden',
    message: `pods "x" is forbidden: violates PodSecurity "restricted:latest": ${restrictedProblems}`,
  });
  t.strictSame(annotations, { 'enforce-policy': 'restricted:latest' });
  await create(bed, 'pods', plain('y', hardenedSpec), context);
  t.match(await metrics.metrics(), /pod_security_evaluations_total\{.*decision="deny".*\} 1/);
});

t.test('a version makes the rules those of that time', async (t) => {
  const bed = await bedOf(t);
  await bed.client.create(
    namespaces,
    labelled('locked', { enforce: 'restricted', 'enforce-version': 'v1.7' }),
  );
  await t.rejects(bed.client.create(pods, plain('x')), {
    message:
      'pods "x" is forbidden: violates PodSecurity "restricted:v1.7": runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
  });
});

t.test('warn and audit look at pods and at what makes pods, and refuse nothing', async (t) => {
  const bed = await bedOf(t);
  await bed.client.create(
    namespaces,
    labelled('locked', {
      enforce: 'privileged',
      warn: 'restricted',
      audit: 'baseline',
      'audit-version': 'v1.30',
    }),
  );
  const template = { metadata: { labels: { a: 'b' } }, spec: plain('x', { hostPID: true }).spec };
  const { context, annotations } = recording();
  await create(
    bed,
    'deployments',
    {
      metadata: { name: 'd', namespace: 'locked' },
      spec: { selector: { matchLabels: { a: 'b' } }, template },
    } as KubeObject,
    context,
  );
  const warning = `would violate PodSecurity "restricted:latest": host namespaces (hostPID=true), ${restrictedProblems}`;
  t.strictSame(context.warnings, [warning]);
  t.strictSame(annotations, {
    'audit-violations': 'would violate PodSecurity "baseline:v1.30": host namespaces (hostPID=true)',
  });

  const job = recording();
  await create(
    bed,
    'cronjobs',
    {
      metadata: { name: 'j', namespace: 'locked' },
      spec: {
        schedule: '* * * * *',
        jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } },
      },
    } as KubeObject,
    job.context,
  );
  t.strictSame(job.context.warnings, [warning]);

  const pod = recording();
  await create(bed, 'pods', plain('x', { hostPID: true }), pod.context);
  t.strictSame(pod.context.warnings, [warning]);
  t.equal(pod.annotations['enforce-policy'], 'privileged:latest');
});

t.test('enforce alone says nothing about what makes pods', async (t) => {
  const bed = await bedOf(t);
  await bed.client.create(namespaces, labelled('locked', { enforce: 'restricted' }));
  const { context } = recording();
  const object = {
    metadata: { name: 'd', namespace: 'locked' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: plain('x').spec },
    },
  } as KubeObject;
  await create(bed, 'deployments', object, context);
  t.strictSame(context.warnings, []);
});

t.test('an update is looked at when it changes what a check looks at', async (t) => {
  const bed = await bedOf(t);
  await bed.client.create(namespaces, labelled('locked', {}));
  await bed.client.create(pods, plain('x'));
  await bed.client.update(namespaces, labelled('locked', { enforce: 'restricted' }));
  const ref = { namespace: 'locked', name: 'x' };
  const labels = { type: 'merge' as const, body: { metadata: { labels: { a: 'b' } } } };
  await t.resolves(bed.client.patch(pods, ref, labels), 'a label is nothing to it');
  const image = { type: 'strategic' as const, body: { spec: { containers: [{ name: 'c', image: 'j' }] } } };
  await t.rejects(bed.client.patch(pods, ref, image), { code: 403 });
  const debug = {
    type: 'strategic' as const,
    body: {
      spec: { ephemeralContainers: [{ name: 'e', image: 'i', securityContext: { privileged: true } }] },
    },
  };
  await t.rejects(bed.client.patch(pods, ref, debug, { subresource: 'ephemeralcontainers' }), {
    message: /privileged \(container "e" must not set securityContext.privileged=true\)/,
  });
});

t.test('labels of a namespace must be readable', async (t) => {
  const bed = await bedOf(t);
  await t.rejects(bed.client.create(namespaces, labelled('n', { enforce: 'strict', 'warn-version': 'v2' })), {
    code: 422,
    message:
      'Namespace "n" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, ' +
      'metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "v2": must be "latest" or "v1.x"]',
  });
  await bed.client.create(namespaces, labelled('n', { enforce: 'baseline' }));
  await t.rejects(bed.client.update(namespaces, labelled('n', { enforce: 'Baseline' })), {
    code: 422,
  });
});

t.test('who raises the level of a namespace hears of pods that are there', async (t) => {
  const bed = await bedOf(t);
  await bed.client.create(namespaces, labelled('locked', {}));
  for (const name of ['b', 'a', 'c']) await bed.client.create(pods, plain(name));
  await bed.client.create(pods, plain('d', { hostNetwork: true }));
  await bed.client.create(pods, plain('e', hardenedSpec));
  const raise = async (level: string) => {
    const context = contextOf();
    const namespace = labelled('locked', { enforce: level });
    await bed.registry.update(bed.rowOf('namespaces'), { name: 'locked' }, namespace, context);
    return context.warnings;
  };
  t.strictSame(await raise('baseline'), [
    'existing pods in namespace "locked" violate the new PodSecurity enforce level "baseline:latest"',
    'd: host namespaces',
  ]);
  const all =
    'allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile';
  t.strictSame(await raise('restricted'), [
    'existing pods in namespace "locked" violate the new PodSecurity enforce level "restricted:latest"',
    `a (and 2 other pods): ${all}`,
    `d: host namespaces, ${all}`,
  ]);
  t.strictSame(await raise('baseline'), [], 'nothing when it is lowered');
});

t.test('defaults and exemptions come from the configuration', async (t) => {
  const bed = await bedOf(t, {
    apiVersion: 'pod-security.admission.config.k8s.io/v1',
    kind: 'PodSecurityConfiguration',
    defaults: { enforce: 'baseline', 'enforce-version': 'latest' },
    exemptions: { usernames: ['trusted'], runtimeClasses: ['vm'], namespaces: ['free'] },
  });
  const host = { hostNetwork: true };
  await bed.client.create(namespaces, labelled('locked', {}));
  await t.rejects(bed.client.create(pods, plain('x', host)), { code: 403 });
  const trusted = recording({ user: { name: 'trusted', groups: [] } });
  await create(bed, 'pods', plain('x', host), trusted.context);
  t.strictSame(trusted.annotations, { exempt: 'user' });
  const vm = recording();
  await create(bed, 'pods', plain('y', { ...host, runtimeClassName: 'vm' }), vm.context);
  t.strictSame(vm.annotations, { exempt: 'runtimeClass' });
  const free = recording();
  await create(bed, 'namespaces', labelled('free', { enforce: 'restricted' }), free.context);
  t.strictSame(free.context.warnings, [
    'namespace "free" is exempt from Pod Security, and the policy (enforce=restricted:latest) will be ignored',
  ]);
  await create(
    bed,
    'pods',
    { ...plain('z', host), metadata: { name: 'z', namespace: 'free' } },
    free.context,
  );
  t.strictSame(free.annotations, { exempt: 'namespace' });
});

t.test('a configuration that is wrong ends the start', async (t) => {
  const kind = { apiVersion: 'pod-security.admission.config.k8s.io/v1', kind: 'PodSecurityConfiguration' };
  const wrong: [unknown, string][] = [
    [
      { ...kind, defaults: { enforce: 'high' } },
      'defaults.enforce: "high" must be one of privileged, baseline, restricted',
    ],
    [{ ...kind, defaults: { audit_version: 'x' } }, /defaults has no field "audit_version"/.source],
    [{ ...kind, exemptions: { usernames: [''] } }, 'exemptions.usernames must be a list of names'],
    [{ kind: 'Other' }, 'must be of kind PodSecurityConfiguration'],
  ];
  for (const [configuration, message] of wrong)
    await t.rejects(bedOf(t, configuration), { message: new RegExp(message.replaceAll('.', '\\.')) });
});

t.test('it is asked for nothing else', async (t) => {
  const bed = await bedOf(t);
  const { concerns } = createPodSecurity({ client: bed.client, clock: bed.clock } as never);
  const asked = (resource: string, operation: 'CREATE' | 'UPDATE' | 'DELETE', sub = ''): boolean =>
    concerns(bed.rowOf(resource), operation, sub);
  t.notOk(asked('configmaps', 'CREATE'));
  t.notOk(asked('pods', 'UPDATE', 'status'));
  t.notOk(asked('pods', 'DELETE'));
  t.notOk(asked('deployments', 'UPDATE', 'scale'));
  for (const { resource } of [pods, namespaces, deployments, cronJobs]) t.ok(asked(resource, 'UPDATE'));
});
