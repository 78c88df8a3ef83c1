import t from 'tap';
import type { Container, Pod, PodSpec } from '../../../src/api/types.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const context = contextOf();
const ref = { namespace: 'default', name: 'a' };
const main = { name: 'main', image: 'nginx' };
const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const pods = rowOf('pods');

const create = (spec: unknown, metadata: object = { name: 'a' }, dryRun = true) =>
  registry.create(pods, 'default', { metadata, spec }, contextOf({ dryRun }));
/** The causes of refusing a pod whose only container has this on top. */
const container = (more: object) => causesOf(create({ containers: [{ ...main, ...more }] }));
/** The causes of refusing a pod with this in its spec. */
const spec = (more: object) => causesOf(create({ containers: [main], ...more }));

const range = 'must be between 1 and 65535, inclusive';
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const quantity =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

t.test('metadata', async (t) => {
  const cases: [object, string[]][] = [
    [{ name: 'Not_A_Name' }, [`metadata.name: Invalid value: "Not_A_Name": ${subdomain}`]],
    [
      { name: 'x'.repeat(254) },
      [`metadata.name: Invalid value: "${'x'.repeat(254)}": must be no more than 253 bytes`],
    ],
    [
      { name: 'a', labels: { 'a b': 'c' } },
      [
        `metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
      ],
    ],
    [
      { name: 'a', labels: { a: '-' } },
      [
        `metadata.labels: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
      ],
    ],
    [
      { name: 'a', annotations: { a: 'x'.repeat(270_000) } },
      ['metadata.annotations: Too long: may not be more than 262144 bytes'],
    ],
    [
      { name: 'a', finalizers: ['orphan', 'foregroundDeletion'] },
      [
        'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
      ],
    ],
    [
      { name: 'a', ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: '', uid: 'u' }] },
      ['metadata.ownerReferences.name: Invalid value: "": must not be empty'],
    ],
  ];
  for (const [metadata, expected] of cases) {
    t.same(await causesOf(create({ containers: [main] }, metadata)), expected, expected[0] ?? '');
  }
});

t.test('containers', async (t) => {
  const at = 'spec.containers[0]';
  const cases: [object, string[]][] = [
    [{ image: undefined }, [`${at}.image: Required value`]],
    [{ image: '' }, [`${at}.image: Required value`]],
    [
      { image: ' nginx' },
      [`${at}.image: Invalid value: " nginx": must not have leading or trailing whitespace`],
    ],
    [{ name: '' }, [`${at}.name: Required value`]],
    [{ name: 'A' }, [`${at}.name: Invalid value: "A": ${label}`]],
    [{ name: 'a.b' }, [`${at}.name: Invalid value: "a.b": must not contain dots`]],
    [
      { imagePullPolicy: 'Later' },
      [
        `${at}.imagePullPolicy: Unsupported value: "Later": supported values: "Always", "IfNotPresent", "Never"`,
      ],
    ],
    [{ ports: [{}] }, [`${at}.ports[0].containerPort: Required value`]],
    [{ ports: [{ containerPort: 70000 }] }, [`${at}.ports[0].containerPort: Invalid value: 70000: ${range}`]],
    [{ ports: [{ containerPort: -1 }] }, [`${at}.ports[0].containerPort: Invalid value: -1: ${range}`]],
    [
      { ports: [{ containerPort: 80, hostPort: 65536 }] },
      [`${at}.ports[0].hostPort: Invalid value: 65536: ${range}`],
    ],
    [
      { ports: [{ containerPort: 80, protocol: 'ICMP' }] },
      [`${at}.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"`],
    ],
    [
      { ports: [80, 81].map((containerPort) => ({ name: 'a', containerPort })) },
      [`${at}.ports[1].name: Duplicate value: "a"`],
    ],
    [
      { ports: [{ name: 'a-very-long-port-name', containerPort: 1 }] },
      [`${at}.ports[0].name: Invalid value: "a-very-long-port-name": must be no more than 15 bytes`],
    ],
    [
      { ports: [80, 81].map((containerPort) => ({ containerPort, hostPort: 99 })) },
      [`${at}.ports[1].hostPort: Duplicate value: "TCP//99"`],
    ],
    [{ env: [{ name: '' }] }, [`${at}.env[0].name: Required value`]],
    [
      { env: [{ name: 'a=b', value: 'c' }] },
      [
        `${at}.env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='`,
      ],
    ],
    [
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.nope' } } }] },
      [
        /^spec\.containers\[0\]\.env\[0\]\.valueFrom\.fieldRef\.fieldPath: Unsupported value: "status\.nope": supported values: "metadata\.name"/ as never,
      ],
    ],
    [
      { env: [{ name: 'A', value: 'x', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } }] },
      [`${at}.env[0].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`],
    ],
    [
      { resources: { limits: { cpu: '-1' } } },
      [
        `${at}.resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
        `${at}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
      ],
    ],
    [
      { resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } },
      [`${at}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`],
    ],
    [
      { resources: { limits: { gpu: '1' } } },
      [
        `${at}.resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified`,
        `${at}.resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers`,
        `${at}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified`,
        `${at}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers`,
      ],
    ],
    [{ livenessProbe: {} }, [`${at}.livenessProbe: Required value: must specify a handler type`]],
    [
      { livenessProbe: { httpGet: { port: 0 } } },
      [`${at}.livenessProbe.httpGet.port: Invalid value: 0: ${range}`],
    ],
    [{ livenessProbe: { exec: { command: [] } } }, [`${at}.livenessProbe.exec.command: Required value`]],
    [
      { livenessProbe: { tcpSocket: { port: 80 }, successThreshold: 2 } },
      [`${at}.livenessProbe.successThreshold: Invalid value: 2: must be 1`],
    ],
    [
      { readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: -1 } },
      [`${at}.readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0`],
    ],
    [
      { startupProbe: { tcpSocket: { port: 80 }, exec: { command: ['a'] } } },
      [`${at}.startupProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`],
    ],
    [
      { lifecycle: { preStop: {} } },
      [`${at}.lifecycle.preStop: Required value: must specify a handler type`],
    ],
    [{ volumeMounts: [{ name: 'v', mountPath: '/a' }] }, [`${at}.volumeMounts[0].name: Not found: "v"`]],
    [
      { securityContext: { runAsUser: -1 } },
      [`${at}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive`],
    ],
    [
      { securityContext: { privileged: true, allowPrivilegeEscalation: false } },
      [
        /^spec\.containers\[0\]\.securityContext: Invalid value: .*: cannot set `allowPrivilegeEscalation` to false and `privileged` to true$/ as never,
      ],
    ],
  ];
  for (const [more, expected] of cases) t.match(await container(more), expected, JSON.stringify(more));
  for (const [more, expected] of cases)
    t.equal((await container(more)).length, expected.length, JSON.stringify(more));
});

t.test('values that cannot be decoded: 400, and the field is named', async (t) => {
  const cases: [object, string, string][] = [
    [{ resources: { limits: { memory: '12Zx' } } }, 'spec.containers[0].resources.limits.memory', quantity],
    [{ resources: { requests: { cpu: 'lots' } } }, 'spec.containers[0].resources.requests.cpu', quantity],
    [
      { ports: [{ containerPort: 'http' }] },
      'spec.containers[0].ports[0].containerPort',
      'json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32',
    ],
    [
      { command: 'sh' },
      'spec.containers[0].command',
      'json: cannot unmarshal string into Go struct field Container.spec.containers.command of type []string',
    ],
  ];
  for (const [more, field, message] of cases) {
    const write = create({ containers: [{ ...main, ...more }] });
    // Go's decoder names the field in its own text; where it says nothing, we put the path in front.
    const why = message === quantity ? `${field}: ${message}` : message;
    await t.rejects(write, {
      code: 400,
      reason: 'BadRequest',
      message: `Pod in version "v1" cannot be handled as a Pod: ${why}`,
    });
    t.same(await causesOf(write), [`${field}: ${message}`]);
  }
});

t.test('the rest of the spec', async (t) => {
  const volumes = (...list: object[]) => ({ volumes: list });
  const cases: [object, string[]][] = [
    [{ containers: [] }, ['spec.containers: Required value']],
    [{ containers: [main, main] }, ['spec.containers[1].name: Duplicate value: "main"']],
    [{ initContainers: [main] }, ['spec.initContainers[0].name: Duplicate value: "main"']],
    [
      { initContainers: [{ name: 'i', image: 'x', readinessProbe: { tcpSocket: { port: 1 } } }] },
      [
        'spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      { restartPolicy: 'always' },
      ['spec.restartPolicy: Unsupported value: "always": supported values: "Always", "OnFailure", "Never"'],
    ],
    [
      { dnsPolicy: 'None' },
      ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
    ],
    [
      { activeDeadlineSeconds: 0 },
      ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
    ],
    [{ nodeName: 'A' }, [`spec.nodeName: Invalid value: "A": ${subdomain}`]],
    [{ hostname: 'a.b' }, ['spec.hostname: Invalid value: "a.b": must not contain dots']],
    [volumes({ emptyDir: {} }), ['spec.volumes[0].name: Required value']],
    [
      volumes({ name: 'v', emptyDir: {} }, { name: 'v', emptyDir: {} }),
      ['spec.volumes[1].name: Duplicate value: "v"'],
    ],
    [
      volumes({ name: 'v', emptyDir: {}, hostPath: { path: '/' } }),
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [volumes({ name: 'v', hostPath: {} }), ['spec.volumes[0].hostPath.path: Required value']],
    [volumes({ name: 'v', secret: {} }), ['spec.volumes[0].secret.secretName: Required value']],
    [
      volumes({ name: 'v', configMap: { name: 'c', defaultMode: 4096 } }),
      [
        'spec.volumes[0].configMap.defaultMode: Invalid value: 4096: must be a number between 0 and 0777 (octal), both inclusive',
      ],
    ],
    [
      volumes({ name: 'v', configMap: { name: 'c', items: [{ key: 'k', path: '../x' }] } }),
      ['spec.volumes[0].configMap.items[0].path: Invalid value: "../x": must not contain \'..\''],
    ],
    [
      { tolerations: [{ operator: 'Equal' }] },
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      { tolerations: [{ key: 'a', operator: 'Exists', effect: 'Nope' }] },
      [
        'spec.tolerations[0].effect: Unsupported value: "Nope": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
    ],
    [
      { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{}] } } },
      [
        'spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty',
      ],
    ],
  ];
  for (const [more, expected] of cases) t.same(await spec(more), expected, JSON.stringify(more));
});

t.test('a new pod: defaults, status', async (t) => {
  const { object } = await create({
    containers: [{ ...main, resources: { limits: { cpu: '1', memory: '1Gi' } } }],
  });
  t.match(object as Pod, {
    spec: {
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      containers: [{ imagePullPolicy: 'Always', resources: { requests: { cpu: '1', memory: '1Gi' } } }],
    },
    status: { phase: 'Pending', qosClass: 'Guaranteed' },
  });
});

t.test('update: only what may change', async (t) => {
  await create(
    {
      containers: [main],
      initContainers: [{ name: 'init', image: 'x' }],
      activeDeadlineSeconds: 60,
      tolerations: [{ key: 'mine', operator: 'Exists' }],
    },
    { name: 'a' },
    false,
  );
  const stored = (await registry.get(pods, ref, context)).object as Pod;
  const old = stored.spec as PodSpec;
  const put = (change: Partial<PodSpec>) =>
    registry.update(
      pods,
      ref,
      { metadata: { name: 'a' }, spec: { ...old, ...change } },
      contextOf({ dryRun: true }),
    );
  const [first] = old.containers as [Container];
  const only =
    /^spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`,`spec\.initContainers\[\*\]\.image`,`spec\.activeDeadlineSeconds`,`spec\.tolerations` \(only additions/;
  const refused: [Partial<PodSpec>, (string | RegExp)[]][] = [
    [{ containers: [{ ...first, command: ['sh'] }] }, [only]],
    [{ nodeName: 'n1' }, [only]],
    [{ restartPolicy: 'Never' }, [only]],
    [
      { containers: [first, { name: 'more', image: 'x' }] },
      ['spec.containers: Forbidden: pod updates may not add or remove containers'],
    ],
    [
      { initContainers: [] },
      ['spec.initContainers: Forbidden: pod updates may not add or remove containers'],
    ],
    [
      { activeDeadlineSeconds: 90 },
      ['spec.activeDeadlineSeconds: Invalid value: 90: must be less than or equal to previous value'],
    ],
    [
      { tolerations: [] },
      ['spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds'],
    ],
  ];
  for (const [change, expected] of refused)
    t.match(await causesOf(put(change)), expected, JSON.stringify(change));
  const accepted: Partial<PodSpec>[] = [
    { containers: [{ ...first, image: 'nginx:2' }] },
    { activeDeadlineSeconds: 30 },
    { tolerations: [...(old.tolerations ?? []), { key: 'more', operator: 'Exists' }] },
  ];
  for (const change of accepted) t.same(await causesOf(put(change)), [], JSON.stringify(change));
  const again = {
    containers: [main],
    initContainers: [{ name: 'init', image: 'x' }],
    activeDeadlineSeconds: 60,
    tolerations: [{ key: 'mine', operator: 'Exists' }],
  };
  t.same(
    await causesOf(
      registry.update(pods, ref, { metadata: { name: 'a' }, spec: again }, contextOf({ dryRun: true })),
    ),
    [],
    'what is defaulted may be left out',
  );
});
