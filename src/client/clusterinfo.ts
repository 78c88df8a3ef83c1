/**
 * How master and agents agree on authorities while one follows another: the ConfigMap that says which are trusted, and the
 * annotations by which a Node says how far it is. Written by the master's certificates, read by the agent and the other way
 * round. Pure.
 */

/** The ConfigMap's place, as kubeadm's; `kubeconfig` in it is for tools. */
export const clusterInfo = {
  namespace: 'kube-public',
  name: 'cluster-info',
  /** PEM of every authority that is trusted, first the one that signs. */
  authorities: 'ca.crt',
  /**
   * The same of those that sign the serving certificates of agents: by which an agent sees that its own is to be renewed. No
   * reason to trust a server.
   */
  servingAuthorities: 'kubelet-serving-ca.crt',
} as const;

/** On a Node: SHA-256 of every authority that its agent trusts, separated by commas. */
export const authoritiesAnnotation = 'wherry.io/trusted-authorities';

/** On a Node: SHA-256 of the authority that issued its agent's client certificate; empty while the serving one is of an old one. */
export const issuerAnnotation = 'wherry.io/certificates-issued-by';
