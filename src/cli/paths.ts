/** Where things are on a host, unless a flag says otherwise (design: all of them can be moved). */
export const paths = {
  dataDir: '/var/lib/wherry',
  configDir: '/etc/wherry',
  adminKubeconfig: '/etc/wherry/admin.kubeconfig',
  masterConfig: '/etc/wherry/master.yaml',
  agentConfig: '/etc/wherry/agent.yaml',
  runDir: '/run/wherry',
  logDir: '/var/log/wherry',
  unitDir: '/etc/systemd/system',
} as const;

/** What a master makes in its data directory. */
export const masterNames = ['admin.token', 'lock', 'pki', 'store'] as const;

/** The two processes, in the order in which they start. */
export const roles = ['master', 'agent'] as const;
export type Role = (typeof roles)[number];

export const configOf = (role: Role): string => (role === 'master' ? paths.masterConfig : paths.agentConfig);

/**
 * For node, before the program's name. The master's young heap stays small: its objects live long, and memory is the
 * budget. It has to be said at the start; the agent, which needs even less, sets its own (`roles.ts`).
 */
export const nodeFlagsOf = (role: Role): readonly string[] =>
  role === 'master' ? ['--max-semi-space-size=4'] : [];
