/** The Kubernetes version whose API is served, and ours; reported by `/version` and as kubeletVersion of nodes. Pure. */
export const kubernetesVersion = 'v1.36.4';

export const wherryVersion = '0.1.0';

/** As clients parse it: a Kubernetes version with build metadata. */
export const gitVersion = `${kubernetesVersion}+wherry.${wherryVersion}`;
