/**
 * The flags of `wherry master`, as the help shows them: a table for `config.ts`. What their values mean is checked by
 * `parseMasterOptions`.
 */
import { authenticationFlags } from './authenticationflags.js';
import { commonFlags } from './commonflags.js';
import { type Flag, group } from './flag.js';

export const masterFlags: readonly Flag[] = [
  ...commonFlags,
  ...group('Master', [
    { name: 'secure-port', value: 'port', description: 'HTTPS port of the API (6443)' },
    {
      name: 'advertise-address',
      value: 'ip',
      description: "address at which others reach the API (the default route's)",
    },
    {
      name: 'admin-kubeconfig',
      value: 'file',
      description: "where the administrator's kubeconfig is written (/etc/wherry/admin.kubeconfig)",
    },
    {
      name: 'tls-san',
      value: 'list',
      description: 'more names and addresses for the certificate of the API server: api.example,192.0.2.1',
    },
    {
      name: 'cluster-signing-duration',
      value: 'duration',
      description: 'lifetime of certificates signed for nodes and users who ask for no less (8760h)',
    },
    {
      name: 'certificate-lifetime',
      value: 'duration',
      description: "lifetime of the master's own certificates; minutes are for tests (8760h)",
    },
    { name: 'store', value: 'url', description: 'file (default)' },
    {
      name: 'encrypt-secrets',
      value: 'bool',
      description: 'false: Secrets lie on disk as they are; encrypted ones can still be read (true)',
    },
    {
      name: 'encryption-provider-config',
      value: 'file',
      description:
        'an EncryptionConfiguration: what is encrypted on disk (Secrets, with <data-dir>/master/pki/encryption.yaml)',
    },
    {
      name: 'service-node-port-range',
      value: 'from-to',
      description: 'ports of NodePort Services (30000-32767)',
    },
    {
      name: 'node-monitor-grace-period',
      value: 'duration',
      description: 'silence after which a node is NotReady (40s)',
    },
    {
      name: 'default-eviction-timeout',
      value: 'duration',
      description: 'how long pods without a toleration of their own stay on a NotReady node (300s)',
    },
  ]),
  ...group('Admission', [
    {
      name: 'enable-admission-plugins',
      value: 'list',
      description: 'admission plugins to run beside those that always do: AlwaysPullImages,...',
    },
    {
      name: 'disable-admission-plugins',
      value: 'list',
      description: 'admission plugins that are not to run: PodSecurity,...',
    },
    {
      name: 'admission-control-config-file',
      value: 'file',
      description: 'an AdmissionConfiguration with the settings of PodSecurity and EventRateLimit',
    },
  ]),
  ...group('Audit log', [
    {
      name: 'audit-policy-file',
      value: 'file',
      description: 'an audit.k8s.io/v1 Policy: which requests are written down (none)',
    },
    {
      name: 'audit-log-path',
      value: 'file',
      description: 'where to: a file of JSON lines, or - for the standard output',
    },
    { name: 'audit-log-format', value: 'format', description: 'json (default)' },
    { name: 'audit-log-maxsize', value: 'megabytes', description: 'size at which the file is rotated (100)' },
    { name: 'audit-log-maxbackup', value: 'number', description: 'rotated files that are kept; 0: all (0)' },
    { name: 'audit-log-maxage', value: 'days', description: 'how long they are kept; 0: for ever (0)' },
    {
      name: 'audit-log-compress',
      value: 'bool',
      description: 'true: rotated files are compressed with gzip (false)',
    },
    {
      name: 'audit-log-mode',
      value: 'mode',
      description: 'batch (default), or blocking-strict: no request is served that cannot be written down',
    },
    {
      name: 'audit-webhook-config-file',
      value: 'file',
      description: 'a kubeconfig that names the server which events are sent to',
    },
    { name: 'audit-webhook-mode', value: 'mode', description: 'batch (default)' },
    {
      name: 'audit-webhook-batch-buffer-size',
      value: 'number',
      description: 'events that wait for it at most (10000)',
    },
    { name: 'audit-webhook-batch-max-size', value: 'number', description: 'events sent at a time (400)' },
    {
      name: 'audit-webhook-batch-max-wait',
      value: 'duration',
      description: 'how long they wait to become so many (30s)',
    },
    {
      name: 'audit-webhook-initial-backoff',
      value: 'duration',
      description: 'pause after the first failure; later ones are longer (10s)',
    },
  ]),
  ...authenticationFlags,
];
