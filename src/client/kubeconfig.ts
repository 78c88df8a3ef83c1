/**
 * The few fields of a kubeconfig that we use: its current context's server, authority and credentials. Called by the
 * CLI and the agent. Relative file names are relative to the kubeconfig, as kubectl reads them.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { stringify } from 'yaml';
import { parseYaml } from '../host/yaml.js';

export interface KubeAccess {
  server: string;
  /** PEM. */
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  token?: string | undefined;
  namespace?: string | undefined;
}

interface ClusterEntry {
  server?: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
}

interface UserEntry {
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
  token?: string;
  tokenFile?: string;
}

interface File {
  'current-context'?: string;
  clusters?: { name: string; cluster?: ClusterEntry }[];
  users?: { name: string; user?: UserEntry }[];
  contexts?: { name: string; context?: { cluster?: string; user?: string; namespace?: string } }[];
}

/** Reads the file and those it names. Throws when the current context or its server is missing. */
export async function loadKubeconfig(path: string): Promise<KubeAccess> {
  const file = (parseYaml(await readFile(path, 'utf8'), path) ?? {}) as File;
  const context = file.contexts?.find((c) => c.name === file['current-context'])?.context;
  const cluster = file.clusters?.find((c) => c.name === context?.cluster)?.cluster;
  const user = file.users?.find((u) => u.name === context?.user)?.user ?? {};
  if (!cluster?.server) throw new Error(`${path}: the current context names no cluster with a server`);

  const pem = async (data: string | undefined, name: string | undefined): Promise<string | undefined> => {
    if (data) return Buffer.from(data, 'base64').toString('utf8');
    return name ? readFile(resolve(dirname(path), name), 'utf8') : undefined;
  };
  const token = user.token ?? (await pem(undefined, user.tokenFile))?.trim();
  return {
    server: cluster.server,
    ca: await pem(cluster['certificate-authority-data'], cluster['certificate-authority']),
    cert: await pem(user['client-certificate-data'], user['client-certificate']),
    key: await pem(user['client-key-data'], user['client-key']),
    token,
    namespace: context?.namespace,
  };
}

/** The text of a kubeconfig with one context, credentials inside. The caller writes it with mode 0600. */
export function buildKubeconfig(access: KubeAccess, names: { cluster: string; user: string }): string {
  const data = (pem: string | undefined): string | undefined => pem && Buffer.from(pem).toString('base64');
  const context = `${names.user}@${names.cluster}`;
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: names.cluster,
        cluster: dropUndefined({ server: access.server, 'certificate-authority-data': data(access.ca) }),
      },
    ],
    users: [
      {
        name: names.user,
        user: dropUndefined({
          'client-certificate-data': data(access.cert),
          'client-key-data': data(access.key),
          token: access.token,
        }),
      },
    ],
    contexts: [
      {
        name: context,
        context: dropUndefined({ cluster: names.cluster, user: names.user, namespace: access.namespace }),
      },
    ],
    'current-context': context,
  });
}

const dropUndefined = (record: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(record).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
