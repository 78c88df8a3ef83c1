import fc from 'fast-check';
import t from 'tap';
import { checkObject, checkType } from './check.js';
import { decodeError, duplicateFields, strictError, strictProblems } from './strict.js';
import { builtinSchema } from './table.js';

const pod = { group: '', version: 'v1', kind: 'Pod' };

t.test('the table knows kinds, fields and their markers', async (t) => {
  t.equal(builtinSchema.kinds().length > 100, true);
  t.equal(builtinSchema.typeOf(pod)?.model, 'io.k8s.api.core.v1.Pod');
  t.equal(
    builtinSchema.typeOf({ group: 'events.k8s.io', version: 'v1', kind: 'Event' })?.name,
    'EventsV1Event',
  );
  t.equal(builtinSchema.typeOf({ group: '', version: 'v1', kind: 'Status' })?.name, 'Status');
  t.ok(builtinSchema.typeOf({ group: 'apps', version: 'v1', kind: 'DeleteOptions' }));
  t.notOk(builtinSchema.typeOf({ group: 'apps', version: 'v2', kind: 'Deployment' }));
  t.notOk(builtinSchema.typeOf({ group: '', version: 'v1', kind: 'PodSpec' }), 'a struct is no kind');
  const spec = builtinSchema.object('ServiceSpec').fields.get('ports');
  t.match(spec, {
    listType: 'map',
    listKeys: ['port', 'protocol'],
    mergeKey: 'port',
    patchStrategy: 'merge',
    number: 1,
  });
  const volume = builtinSchema.object('Volume').fields;
  t.match(volume.get('hostPath'), { via: [2] }, 'inlined structs are flattened');
  t.match(builtinSchema.object('PodSpec').fields.get('volumes'), {
    retainKeys: true,
    patchStrategy: 'merge',
  });
  for (const gvk of builtinSchema.kinds()) t.ok(builtinSchema.typeOf(gvk)?.fields.size);
});

t.test('a body is decoded in place as Kubernetes stores it', async (t) => {
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'a',
      creationTimestamp: null,
      labels: { a: null },
      deletionTimestamp: '2026-01-01T02:00:00.5+02:00',
    },
    spec: {
      nodeName: null,
      containers: [
        {
          name: 'c',
          args: [null],
          resources: { limits: { cpu: 0.5, memory: '1024Mi' } },
          livenessProbe: { httpGet: { port: 'web' } },
        },
      ],
    },
  };
  t.same(checkObject(pod, object), { unknown: [], errors: [] });
  t.strictSame(object, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', labels: { a: '' }, deletionTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      containers: [
        {
          name: 'c',
          args: [''],
          resources: { limits: { cpu: '500m', memory: '1Gi' } },
          livenessProbe: { httpGet: { port: 'web' } },
        },
      ],
    },
  });
});

t.test('unknown fields are named and pruned', async (t) => {
  const object = {
    kind: 'Pod',
    metadata: { toString: 1 },
    spec: { containers: [{ imagee: 'x' }], foo: {} },
    x: 1,
  };
  const { unknown } = checkObject(pod, object);
  t.same(unknown, ['metadata.toString', 'spec.containers[0].imagee', 'spec.foo', 'x']);
  t.same(object, { kind: 'Pod', metadata: {}, spec: { containers: [{}] } });
  t.equal(
    strictError(pod, strictProblems(['spec.foo'], ['spec.x'])).message,
    'Pod in version "v1" cannot be handled as a Pod: strict decoding error: duplicate field "spec.x", unknown field "spec.foo"',
  );
});

t.test('the number of problems told is bounded', async (t) => {
  const stray = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
  const object = { spec: { ...stray }, metadata: { labels: { ...stray } } };
  const { unknown, errors } = checkObject(pod, object);
  t.same([unknown.length, errors.length, Object.keys(object.spec).length], [100, 100, 0]);
  t.equal(duplicateFields(`{${'"a":1,'.repeat(500)}"a":1}`).length, 100);
});

t.test('wrong types are worded as kube-apiserver words them', async (t) => {
  const { errors } = checkObject(
    { group: 'apps', version: 'v1', kind: 'Deployment' },
    {
      metadata: { labels: { a: 1 }, creationTimestamp: 'yesterday', finalizers: 'x' },
      spec: {
        replicas: 'three',
        template: {
          spec: {
            containers: [{ ports: [{ containerPort: 2 ** 40 }], resources: { limits: { cpu: 'lots' } } }],
            restartPolicy: true,
          },
        },
      },
    },
  );
  t.same(
    errors.map((e) => [e.field, e.detail]),
    [
      [
        'metadata.labels.a',
        'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
      ],
      [
        'metadata.creationTimestamp',
        'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
      ],
      [
        'metadata.finalizers',
        'json: cannot unmarshal string into Go struct field ObjectMeta.metadata.finalizers of type []string',
      ],
      [
        'spec.replicas',
        'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
      ],
      [
        'spec.template.spec.containers[0].ports[0].containerPort',
        'json: cannot unmarshal number 1099511627776 into Go struct field ContainerPort.spec.template.spec.containers.ports.containerPort of type int32',
      ],
      [
        'spec.template.spec.containers[0].resources.limits.cpu',
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
      ],
      [
        'spec.template.spec.restartPolicy',
        'json: cannot unmarshal bool into Go struct field PodSpec.spec.template.spec.restartPolicy of type v1.RestartPolicy',
      ],
    ],
  );
  const status = decodeError(pod, errors).toStatus();
  t.match(status, {
    code: 400,
    reason: 'BadRequest',
    message: /^Pod in version "v1" cannot be handled as a Pod: json: cannot/,
  });
  t.equal(status.details?.causes?.[3]?.field, 'spec.replicas');
  t.equal(
    checkObject(pod, []).errors[0]?.detail,
    'json: cannot unmarshal array into Go value of type v1.Pod',
  );
});

t.test('every scalar refuses what Go refuses', async (t) => {
  const wrong: [string, unknown, RegExp][] = [
    ['Secret', { data: { a: '!' } }, /^illegal base64 data at input byte 0$/],
    ['Secret', { data: { a: 'YQ' } }, /^illegal base64/],
    ['Secret', { immutable: 'yes' }, /string into .* of type bool$/],
    ['Service', { spec: { ports: [{ targetPort: 1.5 }] } }, /number 1.5 into Go value of type int32$/],
    ['Service', { spec: { ports: [{ targetPort: [] }] } }, /array into Go value of type int32$/],
    ['Lease', { spec: { renewTime: 5 } }, /number into Go value of type string$/],
    ['JSONSchemaProps', { maximum: '1' }, /of type float64$/],
    ['JSONSchemaProps', { items: 'x' }, /cannot unmarshal string/],
  ];
  for (const [type, value, message] of wrong) {
    t.match(
      checkType(builtinSchema.object(type), value).errors[0]?.detail,
      message,
      `${type} ${JSON.stringify(value)}`,
    );
  }
  const right: [string, unknown][] = [
    ['Secret', { data: { a: 'YWI=', b: '' } }],
    ['Lease', { spec: { renewTime: '2026-01-01T00:00:00.123456Z' } }],
    [
      'JSONSchemaProps',
      {
        items: { type: 'string' },
        additionalProperties: false,
        default: { any: [1] },
        dependencies: { a: ['b'] },
      },
    ],
  ];
  for (const [type, value] of right) t.same(checkType(builtinSchema.object(type), value).errors, []);
});

t.test('duplicate keys are found, and nothing else', async (t) => {
  t.same(duplicateFields('{"a":1,"b":{"x":[{"y":1,"y":2},{"y":"{\\"y\\":1}"}],"x":3},"\\u0061":{}}'), [
    'b.x[0].y',
    'b.x',
    'a',
  ]);
  fc.assert(fc.property(fc.json(), (json) => duplicateFields(JSON.stringify(JSON.parse(json))).length === 0));
});
