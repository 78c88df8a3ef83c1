/** Who holds the default roles, as Kubernetes documents it; as a table, but for controllers. Read by `rbacdefaults.ts`. */
import { accounts, type BindingRow, groups, users } from './rbacrow.js';

const system = 'kube-system';
const manager = 'system:kube-controller-manager';
const scheduler = 'system:kube-scheduler';

const binds = (role: string, subjects: BindingRow['subjects'], name = role): BindingRow => ({
  ...{ name, role, subjects },
});

const bindsIn = (namespace: string, role: string, subjects: BindingRow['subjects'], name = role) => ({
  ...binds(role, subjects, name),
  namespace,
  roleKind: 'Role' as const,
});

const requests = 'system:certificates.k8s.io:certificatesigningrequests';
const everybody = 'system:authenticated';

export const defaultBindings: readonly BindingRow[] = [
  binds('cluster-admin', groups('system:masters')),
  binds('system:discovery', groups(everybody)),
  binds('system:basic-user', groups(everybody)),
  binds('system:public-info-viewer', groups(`${everybody} system:unauthenticated`)),
  binds('system:monitoring', groups('system:monitoring')),
  binds('system:service-account-issuer-discovery', groups('system:serviceaccounts')),
  binds('system:node-proxier', users('system:kube-proxy')),
  binds('system:kube-controller-manager', users(manager)),
  binds('system:kube-dns', accounts('kube-dns')),
  binds('system:kube-scheduler', users(scheduler)),
  binds('system:volume-scheduler', users(scheduler)),
  // Agents are authorized by the table of nodes.
  binds('system:node', []),
  // Ours: whoever holds a bootstrap token may ask for the certificate of a node.
  binds('system:node-bootstrapper', groups('system:bootstrappers'), 'wherry:node-bootstrapper'),
  // Ours too: it gets one, and whoever is a node the next one, without a human.
  binds(`${requests}:nodeclient`, groups('system:bootstrappers'), 'wherry:node-autoapprove-bootstrap'),
  binds(`${requests}:selfnodeclient`, groups('system:nodes'), 'wherry:node-autoapprove-certificate-rotation'),

  bindsIn(
    system,
    'extension-apiserver-authentication-reader',
    users(`${manager} ${scheduler}`),
    'system::extension-apiserver-authentication-reader',
  ),
  bindsIn(system, 'system::leader-locking-kube-controller-manager', [
    ...users(manager),
    ...accounts('kube-controller-manager'),
  ]),
  bindsIn(system, 'system::leader-locking-kube-scheduler', [
    ...users(scheduler),
    ...accounts('kube-scheduler'),
  ]),
  ...['bootstrap-signer', 'cloud-provider', 'token-cleaner'].map((name) =>
    bindsIn(system, `system:controller:${name}`, accounts(name)),
  ),
  bindsIn('kube-public', 'system:controller:bootstrap-signer', accounts('bootstrap-signer')),
  // Ours: how an agent learns of a new authority.
  bindsIn('kube-public', 'wherry:cluster-info', groups('system:nodes system:bootstrappers')),
];
