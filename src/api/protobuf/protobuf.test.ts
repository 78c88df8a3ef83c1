import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import { ApiError } from '../errors.js';
import { checkObject } from '../schema/check.js';
import { decodeProtobuf } from './decode.js';

type Fill = (writer: protobuf.Writer) => unknown;

/** Writes fields in the order given: `[number, value]`, where a function fills a message. */
const fields =
  (...parts: [number, string | number | boolean | Uint8Array | Fill][]): Fill =>
  (writer) => {
    for (const [number, value] of parts) {
      if (typeof value === 'number') writer.uint32(number << 3).int64(value);
      else if (typeof value === 'boolean') writer.uint32(number << 3).bool(value);
      else if (typeof value === 'string') writer.uint32((number << 3) | 2).string(value);
      else if (value instanceof Uint8Array) writer.uint32((number << 3) | 2).bytes(value);
      else {
        value(writer.uint32((number << 3) | 2).fork());
        writer.ldelim();
      }
    }
  };

const bytesOf = (fill: Fill): Uint8Array => {
  const writer = protobuf.Writer.create();
  fill(writer);
  return writer.finish();
};

const body = (apiVersion: string, kind: string, object: Fill): Buffer =>
  Buffer.concat([
    Buffer.from('k8s\0'),
    bytesOf(fields([1, fields([1, apiVersion], [2, kind])], [2, bytesOf(object)], [3, ''], [4, ''])),
  ]);

/** What Go writes for a struct without any value: its scalars that are no pointers, as zeros. */
const emptyMeta = fields([1, ''], [2, ''], [3, ''], [4, ''], [5, ''], [6, ''], [7, 0], [8, fields()]);
const quantity = (text: string): Fill => fields([1, text]);
const port = (type: 0 | 1, int: number, text: string): Fill => fields([1, type], [2, int], [3, text]);

const entry = (key: string, value: string | Fill | Uint8Array): Fill => fields([1, key], [2, value]);

const pod = body(
  'v1',
  'Pod',
  fields(
    [
      1,
      fields(
        [1, 'web'],
        [3, ''],
        [7, 0],
        [8, fields([1, 1_767_225_600], [2, 500_000_000])],
        [11, entry('a', 'b')],
      ),
    ],
    [
      2,
      fields(
        [1, fields([1, 'v'], [2, fields([2, fields([1, 'Memory'], [2, quantity('64Mi')])])])],
        [
          2,
          fields(
            [1, 'c'],
            [2, ''],
            [3, 'a'],
            [3, ''],
            [6, fields([1, ''], [2, 0], [3, 80], [4, ''])],
            [8, fields([1, entry('cpu', quantity('500m'))])],
            [10, fields([1, fields([2, fields([1, '/'], [2, port(1, 0, 'web')])])], [2, 0])],
            [15, fields([1, fields()], [2, false], [4, 0])],
          ),
        ],
        [3, 'Always'],
        [4, 0],
        [11, false],
        [14, fields([4, -1], [4, 2 ** 40])],
        [21, false],
        [999, 'from the future'],
      ),
    ],
    [3, fields([1, ''])],
  ),
);

t.test('an object is what it would be as JSON', async (t) => {
  const decoded = decodeProtobuf(pod);
  t.strictSame(decoded, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', creationTimestamp: '2026-01-01T00:00:00Z', labels: { a: 'b' } },
    spec: {
      volumes: [{ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } }],
      containers: [
        {
          name: 'c',
          command: ['a', ''],
          ports: [{ containerPort: 80 }],
          resources: { limits: { cpu: '500m' } },
          livenessProbe: { httpGet: { path: '/', port: 'web' } },
          securityContext: { capabilities: {}, privileged: false, runAsUser: 0 },
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 0,
      securityContext: { supplementalGroups: [-1, 2 ** 40] },
      automountServiceAccountToken: false,
    },
    status: {},
  });
  t.same(checkObject({ group: '', version: 'v1', kind: 'Pod' }, decoded), { unknown: [], errors: [] });
});

t.test('zeros: kept where Go has a pointer or JSON prints them, else absent', async (t) => {
  const deployment = body(
    'apps/v1',
    'Deployment',
    fields(
      [1, emptyMeta],
      [
        2,
        fields(
          [1, 0],
          [3, fields([1, emptyMeta], [2, fields([2, fields([1, ''])])])],
          [4, fields([1, ''], [2, fields([1, port(0, 0, '')], [2, port(1, 0, '25%')])])],
          [5, 0],
          [7, false],
        ),
      ],
    ),
  );
  t.strictSame(decodeProtobuf(deployment), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {},
    spec: {
      replicas: 0,
      template: { metadata: {}, spec: { containers: [{ name: '' }] } },
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
    },
  });
});

t.test('every form a value has on the wire', async (t) => {
  const decoded = (apiVersion: string, kind: string, object: Fill): unknown => {
    const { apiVersion: _, kind: __, ...rest } = decodeProtobuf(body(apiVersion, kind, object));
    return rest;
  };
  const lease = fields(
    [1, ''],
    [3, fields([1, 1_767_225_600], [2, 123_456_789])],
    [4, fields([1, 0], [2, 0])],
  );
  t.strictSame(
    decoded('coordination.k8s.io/v1', 'Lease', fields([2, lease])),
    {
      spec: {
        holderIdentity: '',
        acquireTime: '2026-01-01T00:00:00.123456Z',
        renewTime: '1970-01-01T00:00:00.000000Z',
      },
    },
    'microseconds',
  );
  const secret = fields([2, entry('k', Buffer.from('v'))], [2, fields([1, 'empty'])], [3, '']);
  t.strictSame(decoded('v1', 'Secret', secret), { data: { k: 'dg==', empty: '' } }, 'bytes, maps');
  t.strictSame(
    decoded('apps/v1', 'ControllerRevision', fields([2, fields([1, '{"a":[1]}'])], [3, 2 ** 53])),
    { data: { a: [1] }, revision: 2 ** 53 },
    'raw JSON',
  );
  const review = fields([5, entry('scopes', fields([1, 'a'], [1, 'b']))], [4, 'g']);
  t.strictSame(
    decoded('authorization.k8s.io/v1', 'SubjectAccessReview', fields([2, review])),
    { spec: { extra: { scopes: ['a', 'b'] }, groups: ['g'] } },
    'a list with a message around it',
  );
  const packed: Fill = (writer) => {
    writer.uint32((4 << 3) | 2).fork();
    writer.int64(1).int64(-2).ldelim();
  };
  t.strictSame(
    decoded('v1', 'Pod', fields([2, fields([14, packed])], [2, fields([14, fields([4, 3])])])),
    { spec: { securityContext: { supplementalGroups: [1, -2, 3] } } },
    'packed numbers, and a message in pieces',
  );
  const double: Fill = (writer) => writer.uint32((9 << 3) | 1).double(1.5);
  const schema = (inner: Fill): Fill =>
    fields([2, fields([7, fields([1, 'v1'], [2, true], [3, true], [4, fields([1, inner])])])]);
  const crd = schema(
    fields(
      [29, entry('a', double as Fill)],
      [24, fields([1, fields([5, 'string'])])],
      [30, fields([1, true])],
    ),
  );
  t.strictSame(
    decoded('apiextensions.k8s.io/v1', 'CustomResourceDefinition', crd),
    {
      spec: {
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                properties: { a: { maximum: 1.5 } },
                items: { type: 'string' },
                additionalProperties: true,
              },
            },
          },
        ],
      },
    },
    'schemas: doubles, unions, recursion',
  );
  t.strictSame(decoded('apps/v1', 'DeleteOptions', fields([1, 0], [4, 'Background'])), {
    gracePeriodSeconds: 0,
    propagationPolicy: 'Background',
  });
  t.strictSame(decoded('policy/v1', 'Eviction', fields([1, emptyMeta], [2, fields([1, 30])])), {
    metadata: {},
    deleteOptions: { gracePeriodSeconds: 30 },
  });
});

const refusal = (bytes: Uint8Array): ApiError => {
  try {
    decodeProtobuf(bytes);
  } catch (error) {
    if (error instanceof ApiError && error.code === 400) return error;
    throw error;
  }
  throw new Error('it was decoded');
};

t.test('what is no such body is a bad request', async (t) => {
  const refused = (bytes: Uint8Array, message: RegExp, why: string): void => {
    t.match(refusal(bytes).message, message, why);
  };
  refused(Buffer.alloc(0), /expected prefix/, 'nothing');
  refused(Buffer.from('{"kind":"Pod"}'), /expected prefix/, 'JSON');
  refused(Buffer.from('k8s\0'), /'Kind' is missing/, 'no envelope');
  refused(body('', 'Pod', fields()), /'apiVersion' is missing/, 'no version');
  refused(body('v1', 'Gadget', fields()), /no kind "Gadget" is registered for version "v1"/, 'no such kind');
  refused(body('v1', 'PodSpec', fields()), /no kind "PodSpec"/, 'a struct is no kind');
  refused(body('v1', 'Pod', fields([1, 7])), /wrong wire type 0/, 'a number for a message');
  refused(
    body('v1', 'Pod', (w) => w.uint32((1 << 3) | 3)),
    /wrong wire type 3/,
    'a group',
  );
  refused(
    body('v1', 'Pod', (w) => w.uint32((99 << 3) | 3)),
    /illegal wire type 3/,
    'an unknown group',
  );
  refused(
    body('v1', 'Pod', (w) => w.uint32(2)),
    /illegal tag 0/,
    'field number 0',
  );
  refused(
    body('v1', 'Pod', (w) => w.uint32(10).uint32(2 ** 32 - 1)),
    /unexpected EOF/,
    'a huge length',
  );
  refused(
    body('v1', 'Pod', (w) => w.uint32(10).uint32(3).uint32(10)),
    /unexpected EOF/,
    'a cut message',
  );
  refused(body('v1', 'Secret', fields([2, entry('__proto__', 'v')])), /"__proto__"/, 'a dangerous key');
  refused(
    body('apps/v1', 'ControllerRevision', fields([2, fields([1, '{'])])),
    /raw JSON/,
    'broken raw JSON',
  );
  refused(
    body('v1', 'Pod', fields([1, fields([8, fields([1, 2 ** 50])])])),
    /a time out of range/,
    'a year that JSON cannot say',
  );
  const gzip = Buffer.concat([
    Buffer.from('k8s\0'),
    bytesOf(fields([1, fields([1, 'v1'], [2, 'Pod'])], [3, 'gzip'])),
  ]);
  refused(gzip, /content encoding "gzip"/, 'an encoding');
  const deep = (levels: number): Fill => (levels === 0 ? fields() : fields([28, (w) => deep(levels - 1)(w)]));
  const crd = fields([2, fields([7, fields([4, fields([1, deep(200)])])])]);
  refused(body('apiextensions.k8s.io/v1', 'CustomResourceDefinition', crd), /nested more than/, 'depth');
});

t.test('no bytes do more harm than a bad request', async () => {
  const survives = (bytes: Uint8Array): void => {
    try {
      decodeProtobuf(bytes);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 400)) throw error;
    }
  };
  const edits = fc.array(fc.tuple(fc.nat(pod.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(edits, fc.nat(pod.length), (changes, length) => {
      const mutant = Uint8Array.from(pod);
      for (const [at, byte] of changes) mutant[at] = byte;
      survives(Buffer.from(mutant));
      survives(mutant.subarray(0, length));
    }),
    { numRuns: 2000 },
  );
  const kinds = fc.constantFrom(
    ['v1', 'Pod'],
    ['v1', 'Secret'],
    ['apiextensions.k8s.io/v1', 'CustomResourceDefinition'],
    ['coordination.k8s.io/v1', 'Lease'],
  );
  fc.assert(
    fc.property(kinds, fc.uint8Array({ maxLength: 200 }), ([apiVersion = '', kind = ''], bytes) => {
      survives(body(apiVersion, kind, (writer) => bytes.reduce((w, byte) => w.uint32(byte), writer)));
    }),
    { numRuns: 1000 },
  );
});
