/**
 * The flags of `wherry master` and `wherry agent`, as the help shows them: a table for `config.ts`. What their values mean
 * is checked by `parseMasterOptions` and `parseAgentOptions`.
 */
import { authenticationFlags } from './authenticationflags.js';
import { type Flag, group } from './flag.js';

const common = [
  ...group('General', [
    { name: 'data-dir', value: 'dir', description: 'where everything is kept (/var/lib/wherry)' },
    { name: 'bind-address', value: 'ip', description: 'address to listen on (0.0.0.0)' },
    { name: 'cluster-cidr', value: 'cidr', description: 'addresses of pods (10.244.0.0/16)' },
    { name: 'service-cidr', value: 'cidr', description: 'addresses of Services (10.96.0.0/12)' },
    { name: 'log-level', value: 'level', description: 'debug, info, warn or error (info)' },
  ]),
  ...group('Connections', [
    {
      name: 'tls-min-version',
      value: 'version',
      description: 'least version of TLS that is taken: VersionTLS12 or VersionTLS13 (VersionTLS12)',
    },
    {
      name: 'tls-cipher-suites',
      value: 'list',
      description:
        'cipher suites of TLS 1.2 that are taken, by the names of Go (ECDHE with AES-GCM or ChaCha20)',
    },
    {
      name: 'max-connections-per-client',
      value: 'number',
      description: 'how many connections one address may have; 0 for any (0)',
    },
  ]),
];

export const masterFlags: readonly Flag[] = [
  ...common,
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

export const agentFlags: readonly Flag[] = [
  ...common,
  ...group('Cluster and node', [
    { name: 'server', value: 'url', description: 'the master: https://HOST:6443' },
    {
      name: 'token',
      value: 'token',
      description: 'join token from `wherry token create`; needed for the first start only',
    },
    { name: 'node-name', value: 'name', description: 'name of this node (the host name)' },
    { name: 'node-ip', value: 'ip', description: 'address of this node (the one that reaches the master)' },
    { name: 'node-labels', value: 'list', description: 'labels to register with: key=value,...' },
    {
      name: 'register-with-taints',
      value: 'list',
      description: 'taints to register with: key=value:effect,...',
    },
    { name: 'agent-port', value: 'port', description: 'HTTPS port of the agent (10250)' },
  ]),
  ...group('Runtime and network', [
    { name: 'runtime', value: 'name', description: 'docker (default) or containerd' },
    {
      name: 'runtime-endpoint',
      value: 'url',
      description:
        "the runtime's socket (unix:///var/run/docker.sock, unix:///run/containerd/containerd.sock)",
    },
    { name: 'cgroup-root', value: 'path', description: 'cgroup under which pods live (/kubepods)' },
    {
      name: 'cni-conf-dir',
      value: 'dir',
      description: 'a network configuration found here replaces the built-in one (/etc/cni/net.d)',
    },
    {
      name: 'log-dir',
      value: 'dir',
      description: 'where links to the logs of containers are made: pods/ and containers/ (/var/log)',
    },
  ]),
  ...group('Pods', [
    { name: 'max-pods', value: 'number', description: 'how many pods this node takes (110)' },
    {
      name: 'pod-max-pids',
      value: 'number',
      description: 'how many processes a pod may have; -1 for any (-1)',
    },
    { name: 'cpu-cfs-quota', value: 'bool', description: 'whether cpu limits are enforced (true)' },
    {
      name: 'pod-manifest-path',
      value: 'path',
      description: 'a directory of manifests of static pods, or one file; looked at again when it changes',
    },
    { name: 'cluster-dns', value: 'ips', description: 'DNS servers of pods with dnsPolicy ClusterFirst' },
    { name: 'cluster-domain', value: 'domain', description: 'DNS domain of the cluster (cluster.local)' },
    {
      name: 'resolv-conf',
      value: 'file',
      description: 'resolver of pods that use the DNS of the node (/etc/resolv.conf)',
    },
    {
      name: 'allowed-unsafe-sysctls',
      value: 'list',
      description: 'sysctls that pods may set beside the safe ones: kernel.msg*,net.core.somaxconn',
    },
    {
      name: 'seccomp-default',
      value: 'bool',
      description: 'true: containers without a seccomp profile get that of the runtime (false)',
    },
  ]),
  ...group('Images', [
    {
      name: 'serialize-image-pulls',
      value: 'bool',
      description: 'true: images are pulled one after the other (false)',
    },
    {
      name: 'max-parallel-image-pulls',
      value: 'number',
      description: 'how many images are pulled at a time (4)',
    },
    {
      name: 'image-credential-provider-config',
      value: 'path',
      description: 'file or directory that configures programs that know logins for registries',
    },
    {
      name: 'image-credential-provider-bin-dir',
      value: 'path',
      description: 'directory with those programs',
    },
    {
      name: 'image-gc-high-threshold',
      value: 'percent',
      description: 'unused images are removed when the disk is this full (85)',
    },
    { name: 'image-gc-low-threshold', value: 'percent', description: 'until it is down to this (80)' },
    {
      name: 'minimum-image-ttl-duration',
      value: 'duration',
      description: 'images seen for less are not removed (2m)',
    },
    {
      name: 'image-maximum-gc-age',
      value: 'duration',
      description: 'images unused for longer are removed in any case; 0s: never (0s)',
    },
  ]),
  ...group('Kept back for the host', [
    {
      name: 'system-reserved',
      value: 'list',
      description: "kept back for the host's daemons: cpu=...,memory=...,ephemeral-storage=...,pid=...",
    },
    {
      name: 'kube-reserved',
      value: 'list',
      description: 'kept back for the runtime and the agent, written the same way',
    },
    {
      name: 'enforce-node-allocatable',
      value: 'list',
      description: 'what is held to what is allocatable: pods (default) or none',
    },
    {
      name: 'memory-reservation-policy',
      value: 'policy',
      description: 'TieredReservation protects memory requests from reclaim, on cgroup v2 (None)',
    },
  ]),
  ...group('Eviction', [
    {
      name: 'eviction-hard',
      value: 'list',
      description:
        'pods are evicted at once below these (memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%); signal<0% takes one away',
    },
    {
      name: 'eviction-soft',
      value: 'list',
      description: 'pods are evicted after a grace period below these: signal<value,...',
    },
    { name: 'eviction-soft-grace-period', value: 'list', description: 'signal=duration,...' },
    {
      name: 'eviction-max-pod-grace-period',
      value: 'seconds',
      description: 'grace of a pod that a soft threshold evicts (0)',
    },
    {
      name: 'eviction-pressure-transition-period',
      value: 'duration',
      description: 'how long a pressure is reported after it ended (5m)',
    },
    {
      name: 'eviction-minimum-reclaim',
      value: 'list',
      description: 'how much more than a threshold is freed: signal=value,...',
    },
  ]),
  ...group('Shutdown of the host', [
    {
      name: 'shutdown-grace-period',
      value: 'duration',
      description: 'how long a shutdown of the host waits for pods to end (0s: not at all)',
    },
    {
      name: 'shutdown-grace-period-critical-pods',
      value: 'duration',
      description: 'the last part of it, for critical pods (0s)',
    },
  ]),
];
