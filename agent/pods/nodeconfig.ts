/**
 * How this node runs pods, where the flags of the agent say so. Names and meanings are those of kubelet's flags.
 */
export interface PodConfig {
  /** `--cluster-dns`; none: `ClusterFirst` falls back to the node's resolver. */
  clusterDns: readonly string[];
  /** `--cluster-domain`. */
  clusterDomain: string;
  /** `--resolv-conf`: the host's resolver as pods get it. */
  resolvConf: string;
  /** `--allowed-unsafe-sysctls`. */
  allowedUnsafeSysctls: readonly string[];
  /** `--seccomp-default`: `RuntimeDefault` for containers that say nothing; else they run unconfined. */
  seccompDefault: boolean;
  /** Where profiles of type `Localhost` are: `<data-dir>/agent/seccomp`. */
  seccompDirectory: string;
}

export const podConfigDefaults: PodConfig = {
  clusterDns: [],
  clusterDomain: 'cluster.local',
  resolvConf: '/etc/resolv.conf',
  allowedUnsafeSysctls: [],
  seccompDefault: false,
  seccompDirectory: '/var/lib/wherry/agent/seccomp',
};
