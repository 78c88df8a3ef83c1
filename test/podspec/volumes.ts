/**
 * The verdicts on `spec.volumes`.
 */
import type { Volume } from '../../src/api/types.js';
import {
  each,
  needed,
  ofC,
  type Rows,
  refused,
  seen,
  tested,
  type Verdict,
  withoutOptional,
  withVolume,
} from './verdicts.js';

const file = (path: string, see: object): object => ({ files: { [`v/${path}`]: see } });
const items = [{ key: 'k', path: 'deep/name', mode: 0o400 }];
const itemFile = (text: string): object => file('deep/name', { text, mode: '400' });
const labelItem = { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' }, mode: 0o400 };
const resourceItem = {
  path: 'cpu',
  resourceFieldRef: { containerName: 'c', resource: 'limits.cpu', divisor: '1m' },
};
const shown = (source: Partial<Volume>, see: object): Verdict => seen(withVolume(source), see);
const projected = (source: object, see: object): Verdict => shown({ projected: { sources: [source] } }, see);
/** Kinds of volume that nobody makes: the whole source, whatever is in it. */
const unknown = (type: string, source: object): Rows => [
  [
    `volumes[].${type}.**`,
    refused(withVolume({ [type]: source } as Partial<Volume>), new RegExp(`^FailedMount v: .*${type}`)),
  ],
];
const ephemeralTests = ['master/controllers/volumebinder.test.ts', 'test/volumes.root.test.ts'];
const volumeTests = 'agent/volumes/volumes.root.test.ts';
const readOnlyMount = ofC({ mounts: [{}, {}, {}, { containerPath: '/v', readOnly: true }] });

function optional(verdict: Verdict): Verdict {
  if (verdict.verdict !== 'honoured') return verdict;
  return needed(verdict.spec, withoutOptional(verdict.spec), undefined);
}

const references = (
  prefix: string,
  name: string,
  text: string,
  make: (source: object, see: object) => Verdict,
): Rows => [
  [`${prefix}.${name}`, make({ [name]: 'all' }, file('k', { text }))],
  ...each(`${prefix}.items[].`, 'key path mode', make({ [name]: 'all', items }, itemFile(text))),
  [`${prefix}.optional`, optional(make({ [name]: 'none', optional: true }, {}))],
];

export const volumeRows: Rows = [
  [
    'volumes[].name',
    seen(withVolume({ emptyDir: {} }), ofC({ mounts: [{}, {}, {}, { containerPath: '/v' }] })),
  ],
  [
    'volumes[].hostPath.path',
    shown({ hostPath: { path: '/' } }, ofC({ mounts: [{}, {}, {}, { hostPath: '/' }] })),
  ],
  [
    'volumes[].hostPath.type',
    refused(withVolume({ hostPath: { path: '/', type: 'Socket' } }), /^FailedMount v: .*socket/i, {
      word: '',
    }),
  ],
  [
    'volumes[].emptyDir.medium',
    seen(withVolume({ emptyDir: { medium: 'Memory' } }), ({ commands }) =>
      commands.some((command) => /mount .*tmpfs.*\/v$/.test(command)),
    ),
  ],
  [
    'volumes[].emptyDir.sizeLimit',
    seen(withVolume({ emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }), ({ commands }) =>
      commands.some((command) => command.includes('size=1048576')),
    ),
  ],
  ...references('volumes[].configMap', 'name', 'from-config', (configMap, see) => shown({ configMap }, see)),
  [
    'volumes[].configMap.defaultMode',
    shown({ configMap: { name: 'all', defaultMode: 0o440 } }, file('k', { mode: '440' })),
  ],
  ...references('volumes[].secret', 'secretName', 'from-secret', (secret, see) => shown({ secret }, see)),
  [
    'volumes[].secret.defaultMode',
    shown({ secret: { secretName: 'all', defaultMode: 0o440 } }, file('k', { mode: '440' })),
  ],
  ...each(
    'volumes[].downwardAPI.items[].',
    'path mode fieldRef.fieldPath',
    shown({ downwardAPI: { items: [labelItem] } }, file('labels', { text: 'app="web"', mode: '400' })),
  ),
  ...each(
    'volumes[].downwardAPI.items[].resourceFieldRef.',
    'containerName resource divisor',
    shown({ downwardAPI: { items: [resourceItem] } }, file('cpu', { text: '4000' })),
  ),
  [
    'volumes[].downwardAPI.defaultMode',
    shown(
      { downwardAPI: { items: [{ ...labelItem, mode: undefined }], defaultMode: 0o440 } },
      file('labels', { mode: '440' }),
    ),
  ],
  ['volumes[].downwardAPI.items[].fieldRef.apiVersion', tested('src/api/defaults/pod.ts')],
  ...references('volumes[].projected.sources[].configMap', 'name', 'from-config', (configMap, see) =>
    projected({ configMap }, see),
  ),
  ...references('volumes[].projected.sources[].secret', 'name', 'from-secret', (secret, see) =>
    projected({ secret }, see),
  ),
  ...each(
    'volumes[].projected.sources[].downwardAPI.items[].',
    'path mode fieldRef.fieldPath',
    projected({ downwardAPI: { items: [labelItem] } }, file('labels', { text: 'app="web"', mode: '400' })),
  ),
  ...each(
    'volumes[].projected.sources[].downwardAPI.items[].resourceFieldRef.',
    'containerName resource divisor',
    projected({ downwardAPI: { items: [resourceItem] } }, file('cpu', { text: '4000' })),
  ),
  [
    'volumes[].projected.sources[].downwardAPI.items[].fieldRef.apiVersion',
    tested('src/api/defaults/pod.ts'),
  ],
  ...each(
    'volumes[].projected.sources[].serviceAccountToken.',
    'audience expirationSeconds path',
    projected(
      { serviceAccountToken: { audience: 'them', expirationSeconds: 1234, path: 'token' } },
      file('token', { text: 'default them 1234' }),
    ),
  ),
  [
    'volumes[].projected.defaultMode',
    shown(
      { projected: { sources: [{ configMap: { name: 'all' } }], defaultMode: 0o440 } },
      file('k', { mode: '440' }),
    ),
  ],
  [
    'volumes[].projected.sources[].clusterTrustBundle.**',
    refused(
      withVolume({ projected: { sources: [{ clusterTrustBundle: { name: 'x', path: 'p' } }] } }),
      /^FailedMount v: .*clusterTrustBundle/,
    ),
  ],
  [
    'volumes[].projected.sources[].podCertificate.**',
    refused(
      withVolume({ projected: { sources: [{ podCertificate: { signerName: 'x/y', keyType: 'ED25519' } }] } }),
      /^FailedMount v: .*podCertificate/,
    ),
  ],
  ...each(
    'volumes[].nfs.',
    'server path readOnly',
    tested(['agent/volumes/nfs.ts', 'agent/volumes/persistent.root.test.ts']),
  ),
  [
    'volumes[].persistentVolumeClaim.claimName',
    shown(
      { persistentVolumeClaim: { claimName: 'claim' } },
      ofC({ mounts: [{}, {}, {}, { hostPath: /claim$/, readOnly: false }] }),
    ),
  ],
  [
    'volumes[].persistentVolumeClaim.readOnly',
    shown({ persistentVolumeClaim: { claimName: 'claim', readOnly: true } }, readOnlyMount),
  ],
  ['volumes[].ephemeral.**', tested(ephemeralTests, 'volumeClaimTemplate')],
  [
    'volumes[].image.reference',
    shown(
      { image: { reference: 'files:1' } },
      ofC({ mounts: [{}, {}, {}, { image: 'id of files:1', readOnly: true }] }),
    ),
  ],
  [
    'volumes[].image.pullPolicy',
    shown(
      { image: { reference: 'files:1', pullPolicy: 'Never' } },
      { images: [{ image: 'files:1', imagePullPolicy: 'Never' }] },
    ),
  ],
  ...unknown('gcePersistentDisk', { pdName: 'x' }),
  ...unknown('awsElasticBlockStore', { volumeID: 'x' }),
  ...unknown('gitRepo', { repository: 'https://x' }),
  ...unknown('iscsi', { targetPortal: '192.0.2.1', iqn: 'iqn.x', lun: 0 }),
  ...unknown('glusterfs', { endpoints: 'x', path: 'y' }),
  ...unknown('rbd', { monitors: ['x'], image: 'y' }),
  ...unknown('flexVolume', { driver: 'x/y' }),
  ...unknown('cinder', { volumeID: 'x' }),
  ...unknown('cephfs', { monitors: ['x'] }),
  ...unknown('flocker', { datasetName: 'x' }),
  ...unknown('fc', { targetWWNs: ['x'], lun: 0 }),
  ...unknown('azureFile', { secretName: 'x', shareName: 'y' }),
  ...unknown('azureDisk', { diskName: 'x', diskURI: 'y' }),
  ...unknown('vsphereVolume', { volumePath: 'x' }),
  ...unknown('quobyte', { registry: 'x', volume: 'y' }),
  ...unknown('photonPersistentDisk', { pdID: 'x' }),
  ...unknown('portworxVolume', { volumeID: 'x' }),
  ...unknown('scaleIO', { gateway: 'x', system: 'y', secretRef: { name: 'z' } }),
  ...unknown('storageos', { volumeName: 'x' }),
  ...unknown('csi', { driver: 'x.example' }),
];

/** Where links, sub-paths and the like are tested with a real kernel. */
export const subPathTests = tested(volumeTests);
