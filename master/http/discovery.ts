/**
 * 1. Discovery documents, made once from the resource table: which groups, versions and resources there are. Pure.
 *
 * Legacy (`/api`, `/apis`, `/api/v1`, `/apis/g`, `/apis/g/v`) and aggregated (the same paths `/api` and `/apis` with
 * `as=APIGroupDiscoveryList`). Content types of aggregated answers must repeat group, version and kind, or clients
 * read them as legacy ones.
 */
import { createHash } from 'node:crypto';
import { compareVersions } from '../registry/custom/versions.js';
import type { Resource } from '../resources/resource.js';

interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

export interface Served {
  name: string;
  singularName: string;
  namespaced: boolean;
  /** What bodies of this path are. */
  kind: GroupVersionKind;
  verbs: readonly string[];
  shortNames: readonly string[];
  categories: readonly string[];
  subresources: readonly Served[];
  /** The same for as long as objects are stored in the same version; missing where nothing is stored. */
  storageVersionHash?: string | undefined;
}

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** Bodies and verbs of subresources; those not listed carry the object itself and are read and written. */
const subresourceFacts: Readonly<Record<string, { kind?: GroupVersionKind; verbs: readonly string[] }>> = {
  approval: { verbs: ['get', 'patch', 'update'] },
  attach: { kind: { group: '', version: 'v1', kind: 'PodAttachOptions' }, verbs: ['create', 'get'] },
  binding: { kind: { group: '', version: 'v1', kind: 'Binding' }, verbs: ['create'] },
  eviction: { kind: { group: 'policy', version: 'v1', kind: 'Eviction' }, verbs: ['create'] },
  exec: { kind: { group: '', version: 'v1', kind: 'PodExecOptions' }, verbs: ['create', 'get'] },
  finalize: { verbs: ['update'] },
  log: { verbs: ['get'] },
  portforward: {
    kind: { group: '', version: 'v1', kind: 'PodPortForwardOptions' },
    verbs: ['create', 'get'],
  },
  proxy: { verbs: ['create', 'delete', 'get', 'patch', 'update'] },
  scale: { kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs: ['get', 'patch', 'update'] },
  token: { kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }, verbs: ['create'] },
};

/** Each kind has its own for the proxy. */
const proxyOptions = ({ group, version, kind }: GroupVersionKind): GroupVersionKind => ({
  group,
  version,
  kind: `${kind}ProxyOptions`,
});

const readWrite = ['get', 'patch', 'update'];

/** The verbs a subresource allows, for 405 answers too. */
export const subresourceVerbs = (name: string): readonly string[] =>
  subresourceFacts[name]?.verbs ?? readWrite;

/** What bodies of a subresource are, where they are not the object itself. */
export const subresourceKind = (name: string): GroupVersionKind | undefined => subresourceFacts[name]?.kind;

const pathOf = ({ type }: Resource): string => `${type.group}/${type.version}/${type.resource}`;

/** As kube-apiserver makes it: storage migrators compare it between servers. */
const storageVersionHash = ({ group, version, kind }: GroupVersionKind): string =>
  createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64');

function served(row: Resource, listed: ReadonlySet<string>): Served {
  const { type, singular, shortNames, categories, subresources, verbs = allVerbs } = row;
  const storing = row.view?.of ?? row;
  // As of a definition whose storage version is not served, nothing is said of what is not listed.
  const isStored = storing.verbs === undefined && listed.has(pathOf(storing));
  const own: GroupVersionKind = { group: type.group, version: type.version, kind: type.kind };
  const leaf = (name: string): Served => ({
    name: `${type.resource}/${name}`,
    singularName: '',
    namespaced: type.namespaced,
    kind: subresourceFacts[name]?.kind ?? (name === 'proxy' ? proxyOptions(own) : own),
    verbs: subresourceVerbs(name),
    shortNames: [],
    categories: [],
    subresources: [],
  });
  return {
    name: type.resource,
    singularName: singular,
    namespaced: type.namespaced,
    kind: own,
    verbs,
    shortNames,
    categories,
    subresources: subresources.map(leaf),
    storageVersionHash: isStored ? storageVersionHash(storing.type) : undefined,
  };
}

/** Documents by path; `aggregated` by path and version. `versions` tells a wrong resource from a wrong path. */
export interface Discovery {
  legacy: ReadonlyMap<string, Buffer>;
  aggregated(path: '/api' | '/apis', version: 'v2' | 'v2beta1'): { contentType: string; body: Buffer };
  hasVersion(group: string, version: string): boolean;
  paths: readonly string[];
}

/** Kinds that other servers serve; `version` grows with every change of what they say. */
export interface RemoteKinds {
  readonly version: number;
  readonly isEmpty: boolean;
  /** All groups in their order, with the kinds of others in the place of our own of the same version. */
  merge(groups: Groups): Groups;
  /** They could not be asked lately. */
  isStale(group: string, version: string): boolean;
  /** Paths of `/openapi/v3` that lead to others, with something that changes with them. */
  schemas(): readonly { path: string; hash: string }[];
}

const bytes = (document: object): Buffer => Buffer.from(`${JSON.stringify(document)}\n`);

/** `serverAddress` is what clients are told to reach this server by: host:port. */
export function createDiscovery(
  resources: readonly Resource[],
  serverAddress: string,
  remotes?: RemoteKinds,
): Discovery {
  const own = groupRows(resources);
  const groups = remotes?.merge(own) ?? own;
  const legacy = new Map<string, Buffer>();
  const groupDocuments: object[] = [];
  for (const [group, versions] of groups) {
    for (const [version, rows] of versions) {
      const groupVersion = group === '' ? version : `${group}/${version}`;
      const path = group === '' ? `/api/${version}` : `/apis/${groupVersion}`;
      legacy.set(path, bytes(resourceList(groupVersion, rows)));
    }
    if (group === '') continue;
    const document = groupDocument(group, [...versions.keys()]);
    legacy.set(`/apis/${group}`, bytes({ kind: 'APIGroup', apiVersion: 'v1', ...document }));
    groupDocuments.push(document);
  }
  legacy.set('/apis', bytes({ kind: 'APIGroupList', apiVersion: 'v1', groups: groupDocuments }));
  legacy.set(
    '/api',
    bytes({
      kind: 'APIVersions',
      versions: [...(groups.get('')?.keys() ?? [])],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
    }),
  );
  const aggregated = new Map<string, Buffer>();
  for (const version of ['v2', 'v2beta1']) {
    aggregated.set(`/api ${version}`, bytes(aggregate(groups, version, true, remotes)));
    aggregated.set(`/apis ${version}`, bytes(aggregate(groups, version, false, remotes)));
  }
  return {
    legacy,
    aggregated: (path, version) => ({
      contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      body: aggregated.get(`${path} ${version}`) ?? Buffer.alloc(0),
    }),
    hasVersion: (group, version) => groups.get(group)?.has(version) ?? false,
    paths: [...legacy.keys()],
  };
}

export type Groups = Map<string, Map<string, Served[]>>;

/** Resources of a version by name, as kube-apiserver lists them: `kubectl get all` prints in this order. */
function groupRows(resources: readonly Resource[]): Groups {
  const groups: Groups = new Map();
  const listed = new Set(resources.map(pathOf));
  for (const row of resources) {
    const versions = groups.get(row.type.group) ?? new Map<string, Served[]>();
    groups.set(row.type.group, versions);
    const rows = versions.get(row.type.version) ?? [];
    versions.set(row.type.version, rows);
    rows.push(served(row, listed));
  }
  for (const versions of groups.values())
    for (const rows of versions.values()) rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  // Definitions come in any order; the versions of their groups have one of their own.
  for (const group of new Set(resources.filter(isCustom).map(({ type }) => type.group))) {
    const versions = [...(groups.get(group) ?? [])].sort(([a], [b]) => compareVersions(a, b));
    groups.set(group, new Map(versions));
  }
  return groups;
}

const isCustom = ({ schema }: Resource): boolean => schema?.custom !== undefined;

function groupDocument(name: string, versions: readonly string[]): object {
  const entries = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: entries, preferredVersion: entries[0] };
}

function resourceList(groupVersion: string, rows: readonly Served[]): object {
  const resources = rows
    .flatMap((row) => [row, ...row.subresources])
    .map((row) => ({
      name: row.name,
      singularName: row.singularName,
      namespaced: row.namespaced,
      ...(gvText(row.kind) !== groupVersion && { group: row.kind.group, version: row.kind.version }),
      kind: row.kind.kind,
      verbs: row.verbs,
      ...(row.shortNames.length > 0 && { shortNames: row.shortNames }),
      ...(row.categories.length > 0 && { categories: row.categories }),
      ...(row.storageVersionHash && { storageVersionHash: row.storageVersionHash }),
    }));
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
}

const gvText = ({ group, version }: GroupVersionKind): string =>
  group === '' ? version : `${group}/${version}`;

function aggregate(groups: Groups, apiVersion: string, core: boolean, remotes?: RemoteKinds): object {
  const items = [...groups]
    .filter(([group]) => (group === '') === core)
    .map(([group, versions]) => ({
      metadata: { ...(group && { name: group }), creationTimestamp: null },
      versions: [...versions].map(([version, rows]) => ({
        version,
        resources: rows.map(aggregatedResource),
        freshness: remotes?.isStale(group, version) ? 'Stale' : 'Current',
      })),
    }));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${apiVersion}`,
    metadata: {},
    items,
  };
}

function aggregatedResource(row: Served): object {
  return {
    resource: row.name,
    responseKind: row.kind,
    scope: row.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: row.singularName,
    verbs: row.verbs,
    ...(row.shortNames.length > 0 && { shortNames: row.shortNames }),
    ...(row.categories.length > 0 && { categories: row.categories }),
    ...(row.subresources.length > 0 && {
      subresources: row.subresources.map((leaf) => ({
        subresource: leaf.name.slice(leaf.name.indexOf('/') + 1),
        responseKind: leaf.kind,
        verbs: leaf.verbs,
      })),
    }),
  };
}
