/**
 * The flags of `wherry agent`, as the help shows them: a table for `config.ts`. What their values mean is checked by
 * `parseAgentOptions`.
 */
import { commonFlags } from './commonflags.js';
import { type Flag, group } from './flag.js';

export const agentFlags: readonly Flag[] = [
  ...commonFlags,
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
    {
      name: 'streaming-connection-idle-timeout',
      value: 'duration',
      description:
        'exec, attach and port-forward on which nothing moves for so long are closed; 0s: never (4h)',
    },
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
