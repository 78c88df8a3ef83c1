import t from 'tap';
import type { CSIDriver, PersistentVolume, PersistentVolumeClaim } from '../../../src/api/types.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const create = (kind: string, body: object, context = contextOf({ dryRun: true })) =>
  registry.create(
    rowOf(kind),
    rowOf(kind).type.namespaced ? 'default' : undefined,
    { metadata: { name: 'a' }, ...body },
    context,
  );
const merge = (kind: string, body: object, subresource?: string) =>
  registry.patch(
    rowOf(kind),
    rowOf(kind).type.namespaced ? { namespace: 'default', name: 'a' } : { name: 'a' },
    { type: 'merge', body },
    contextOf(),
    subresource,
  );

const volume = (more: object) => ({
  spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' }, ...more },
});
const claim = (more: object = {}) => ({
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...more },
});

const cases: [string, object, (string | RegExp)[]][] = [
  ['persistentvolumes', volume({}), []],
  [
    'persistentvolumes',
    { spec: { hostPath: { path: '/x' } } },
    [
      'spec.accessModes: Required value',
      'spec.capacity: Required value',
      'spec.capacity: Unsupported value: null: supported values: "storage"',
    ],
  ],
  [
    'persistentvolumes',
    volume({ accessModes: ['Once'] }),
    [
      'spec.accessModes: Unsupported value: "Once": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
    ],
  ],
  [
    'persistentvolumes',
    volume({ accessModes: ['ReadWriteOncePod', 'ReadOnlyMany'] }),
    ['spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes'],
  ],
  [
    'persistentvolumes',
    volume({ capacity: { storage: '0' } }),
    ['spec.capacity[storage]: Invalid value: "0": must be greater than zero'],
  ],
  [
    'persistentvolumes',
    volume({ hostPath: undefined }),
    ['spec: Required value: must specify a volume type'],
  ],
  [
    'persistentvolumes',
    volume({ nfs: { server: 's', path: '/p' } }),
    ['spec.nfs: Forbidden: may not specify more than 1 volume type'],
  ],
  [
    'persistentvolumes',
    volume({ hostPath: undefined, local: { path: '/d' } }),
    ['spec.nodeAffinity: Required value: Local volume requires node affinity'],
  ],
  [
    'persistentvolumes',
    volume({ hostPath: undefined, nfs: { server: '', path: 'p' } }),
    ['spec.nfs.server: Required value', 'spec.nfs.path: Invalid value: "p": must be an absolute path'],
  ],
  [
    'persistentvolumes',
    volume({ hostPath: undefined, csi: { driver: '', volumeHandle: '' } }),
    [
      'spec.csi.driver: Required value',
      /^spec.csi.driver: Invalid value: ""/,
      'spec.csi.volumeHandle: Required value',
    ],
  ],
  [
    'persistentvolumes',
    volume({ persistentVolumeReclaimPolicy: 'Keep' }),
    [
      'spec.persistentVolumeReclaimPolicy: Unsupported value: "Keep": supported values: "Delete", "Recycle", "Retain"',
    ],
  ],
  [
    'persistentvolumes',
    volume({ hostPath: { path: '/' }, persistentVolumeReclaimPolicy: 'Recycle' }),
    ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
  ],
  [
    'persistentvolumeclaims',
    { spec: {} },
    [
      'spec.accessModes: Required value: at least 1 access mode is required',
      'spec.resources[storage]: Required value',
    ],
  ],
  [
    'persistentvolumeclaims',
    claim({ volumeMode: 'Disk' }),
    ['spec.volumeMode: Unsupported value: "Disk": supported values: "Block", "Filesystem"'],
  ],
  [
    'persistentvolumeclaims',
    claim({ dataSource: { kind: 'Pod', name: 'p' } }),
    [
      'spec.dataSource: Invalid value: "Pod": must be \'PersistentVolumeClaim\' when referencing the default apiGroup',
      'spec.dataSourceRef: Invalid value: "Pod": must be \'PersistentVolumeClaim\' when referencing the default apiGroup',
    ],
  ],
  ['storageclasses', {}, ['provisioner: Required value']],
  [
    'storageclasses',
    { provisioner: 'a/b', reclaimPolicy: 'Recycle', volumeBindingMode: 'Late' },
    [
      'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
      'volumeBindingMode: Unsupported value: "Late": supported values: "Immediate", "WaitForFirstConsumer"',
    ],
  ],
  [
    'storageclasses',
    {
      provisioner: 'a/b',
      allowedTopologies: [{ matchLabelExpressions: [{ key: 'z', values: ['1', '1'] }] }],
    },
    ['allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "1"'],
  ],
  [
    'volumeattachments',
    { spec: { attacher: 'a.io', nodeName: 'n', source: {} } },
    ['spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName'],
  ],
  [
    'csidrivers',
    { spec: { volumeLifecycleModes: ['Never'] } },
    ['spec.volumeLifecycleModes: Unsupported value: "Never": supported values: "Persistent", "Ephemeral"'],
  ],
  [
    'csidrivers',
    { spec: { tokenRequests: [{ audience: 'x', expirationSeconds: 1 }, { audience: 'x' }] } },
    [
      'spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes',
      'spec.tokenRequests[1].audience: Duplicate value: "x"',
    ],
  ],
  [
    'csinodes',
    { spec: { drivers: [{ name: 'd.io', nodeID: '' }] } },
    ['spec.drivers[0].nodeID: Required value'],
  ],
  [
    'csistoragecapacities',
    { storageClassName: 'c', capacity: '-1' },
    ['capacity: Invalid value: "-1": must be greater than or equal to 0'],
  ],
  [
    'volumeattributesclasses',
    { driverName: 'd.io' },
    ['parameters: Required value: must contain at least one key/value pair'],
  ],
];

t.test('what is refused, and in which words', async (t) => {
  for (const [kind, body, expected] of cases) {
    const found = await causesOf(create(kind, body));
    t.equal(found.length, expected.length, `${kind} ${found.join(', ')}`);
    t.match(found, expected);
  }
});

t.test('volumes: defaults, phases and their times, the source stays', async (t) => {
  const { object } = await create(
    'persistentvolumes',
    { ...volume({}), status: { phase: 'Bound' } },
    contextOf(),
  );
  t.match(object as PersistentVolume, {
    spec: { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem', hostPath: { type: '' } },
    status: { phase: 'Pending', lastPhaseTransitionTime: /^2026-/ },
  });
  const bound = await merge('persistentvolumes', { status: { phase: 'Bound' } }, 'status');
  t.match(bound.object as PersistentVolume, {
    status: { phase: 'Bound', lastPhaseTransitionTime: /^2026-/ },
  });
  t.same(await causesOf(merge('persistentvolumes', { spec: { hostPath: { path: '/y' } } })), [
    'spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation',
  ]);
  t.same(await causesOf(merge('persistentvolumes', { spec: { capacity: { storage: '2Gi' } } })), []);
});

t.test('claims: bound once, then they may grow', async (t) => {
  const kind = 'persistentvolumeclaims';
  const dataSource = { kind: 'PersistentVolumeClaim', name: 'p' };
  const { object } = await create(kind, claim({ dataSource }), contextOf());
  t.match(object as PersistentVolumeClaim, {
    spec: { volumeMode: 'Filesystem', dataSource, dataSourceRef: dataSource },
    status: { phase: 'Pending' },
  });
  const grown = { spec: { resources: { requests: { storage: '2Gi' } } } };
  const frozen =
    'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
  t.same(await causesOf(merge(kind, grown)), [frozen]);
  t.same(await causesOf(merge(kind, { spec: { volumeName: 'v' } })), []);
  t.same(await causesOf(merge(kind, { spec: { volumeName: 'w' } })), [frozen]);
  await merge(kind, { status: { phase: 'Bound', capacity: { storage: '1Gi' } } }, 'status');
  t.same(await causesOf(merge(kind, grown)), []);
  const less = { spec: { resources: { requests: { storage: '1Gi' } } } };
  t.same(await causesOf(merge(kind, less)), [
    'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
  ]);
});

t.test('classes and drivers: defaults, and what stays', async (t) => {
  await create('storageclasses', { provisioner: 'a/b', parameters: { k: 'v' } }, contextOf());
  const merged = { parameters: { k: 'w' }, volumeBindingMode: 'WaitForFirstConsumer' };
  t.same(await causesOf(merge('storageclasses', merged)), [
    'parameters: Forbidden: updates to parameters are forbidden.',
    'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
  ]);
  t.same(await causesOf(merge('storageclasses', { allowVolumeExpansion: true })), []);
  const { object } = await create('csidrivers', { spec: {} }, contextOf());
  t.match((object as CSIDriver).spec, {
    attachRequired: true,
    podInfoOnMount: false,
    fsGroupPolicy: 'ReadWriteOnceWithFSType',
    volumeLifecycleModes: ['Persistent'],
  });
  t.same(await causesOf(merge('csidrivers', { spec: { attachRequired: false } })), [
    'spec.attachedRequired: Invalid value: false: field is immutable',
  ]);
});
