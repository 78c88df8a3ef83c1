/** The columns of the kinds of network, storage and access; those of core and workloads are in `printers.test.ts`. */
import t from 'tap';
import { created, printed as row } from './testing.js';

t.test('ingresses, policies and networks', async (t) => {
  const http = { paths: [] };
  const hosts = ['a', 'b', 'c', 'd'].map((host) => ({ host, http }));
  const ingress = [{ ip: '192.0.2.2' }, { hostname: 'lb' }, { ip: '192.0.2.2' }];
  t.same(row('ingresses', { spec: { rules: [{ http }] } }), {
    NAME: 'a',
    CLASS: '<none>',
    HOSTS: '*',
    ADDRESS: '',
    PORTS: '80',
    AGE: '5m',
  });
  const busy = {
    spec: { rules: hosts, tls: [{}], ingressClassName: 'x' },
    status: { loadBalancer: { ingress } },
  };
  t.match(row('ingresses', busy), {
    CLASS: 'x',
    HOSTS: 'a,b,c + 1 more...',
    ADDRESS: '192.0.2.2,lb',
    PORTS: '80, 443',
  });
  const parameters = { apiGroup: 'g.io', kind: 'K', name: 'n' };
  t.match(row('ingressclasses', { spec: { controller: 'c.io/x', parameters } }), {
    CONTROLLER: 'c.io/x',
    PARAMETERS: 'K.g.io/n',
  });
  const podSelector = { matchLabels: { app: 'web' } };
  t.equal(row('networkpolicies', { spec: { podSelector } })['POD-SELECTOR'], 'app=web');
  t.equal(row('networkpolicies', { spec: { podSelector: {} } })['POD-SELECTOR'], '<none>');
  const parentRef = { resource: 'services', namespace: 'default', name: 'web' };
  t.equal(row('ipaddresses', { spec: { parentRef } })['PARENTREF'], 'services/default/web');
  t.equal(row('servicecidrs', { spec: { cidrs: ['10.0.0.0/8'] } })['CIDRS'], '10.0.0.0/8');
});

t.test('volumes, claims and drivers', async (t) => {
  const spec = {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteMany', 'ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: 'fast',
    volumeMode: 'Filesystem',
    claimRef: { namespace: 'default', name: 'c' },
  };
  t.same(row('persistentvolumes', { spec, status: { phase: 'Bound' } }), {
    NAME: 'a',
    CAPACITY: '1Gi',
    'ACCESS MODES': 'RWO,RWX',
    'RECLAIM POLICY': 'Retain',
    STATUS: 'Bound',
    CLAIM: 'default/c',
    STORAGECLASS: 'fast',
    VOLUMEATTRIBUTESCLASS: '<unset>',
    REASON: '',
    AGE: '5m',
    VOLUMEMODE: 'Filesystem',
  });
  const claim = { spec: { volumeMode: 'Block', storageClassName: 'fast' }, status: { phase: 'Pending' } };
  t.same(row('persistentvolumeclaims', claim), {
    NAME: 'a',
    STATUS: 'Pending',
    VOLUME: '',
    CAPACITY: '',
    'ACCESS MODES': '',
    STORAGECLASS: 'fast',
    VOLUMEATTRIBUTESCLASS: '<unset>',
    AGE: '5m',
    VOLUMEMODE: 'Block',
  });
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  t.match(row('storageclasses', { metadata: { annotations }, provisioner: 'p.io/x' }), {
    NAME: 'a (default)',
    PROVISIONER: 'p.io/x',
    RECLAIMPOLICY: 'Delete',
    VOLUMEBINDINGMODE: 'Immediate',
    ALLOWVOLUMEEXPANSION: false,
  });
  t.match(row('csidrivers', { spec: { tokenRequests: [{ audience: 'a' }, { audience: 'b' }] } }), {
    ATTACHREQUIRED: true,
    TOKENREQUESTS: 'a,b',
    MODES: '<none>',
  });
  t.match(
    row('volumeattachments', {
      spec: { attacher: 'd.io', nodeName: 'n', source: { persistentVolumeName: 'v' } },
    }),
    {
      ATTACHER: 'd.io',
      PV: 'v',
      NODE: 'n',
      ATTACHED: false,
    },
  );
});

t.test('roles, classes, quotas', async (t) => {
  t.same(row('roles', {}), { NAME: 'a', 'CREATED AT': created });
  const subjects = [
    { kind: 'User', name: 'joe' },
    { kind: 'User', name: 'ann' },
    { kind: 'ServiceAccount', namespace: 'default', name: 's' },
  ];
  t.same(row('rolebindings', { roleRef: { kind: 'ClusterRole', name: 'view' }, subjects }), {
    NAME: 'a',
    ROLE: 'ClusterRole/view',
    AGE: '5m',
    USERS: 'joe, ann',
    GROUPS: '',
    SERVICEACCOUNTS: 'default/s',
  });
  t.same(row('priorityclasses', { value: 5, preemptionPolicy: 'Never' }), {
    NAME: 'a',
    VALUE: 5,
    'GLOBAL-DEFAULT': false,
    AGE: '5m',
    PREEMPTIONPOLICY: 'Never',
  });
  const hard = { pods: '3', 'limits.cpu': '2', cpu: '1' };
  t.same(row('resourcequotas', { status: { hard, used: { pods: '1' } } }), {
    NAME: 'a',
    REQUEST: 'cpu: 0/1, pods: 1/3',
    LIMIT: 'limits.cpu: 0/2',
    AGE: '5m',
  });
});
