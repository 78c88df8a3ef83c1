/**
 * 1. What aggregated API servers serve, as discovery lists it: merged with our own kinds, groups by the highest priority of
 * their versions, versions by theirs. Pure but for looking at what was discovered.
 */
import type { Groups, RemoteKinds, Served } from '../http/discovery.js';
import type { ApiResource, Discovered, RemoteVersion } from './discovered.js';
import { type Priority, priorityOf } from './priorities.js';

export function createRemoteKinds(discovered: Discovered): RemoteKinds {
  return {
    get version() {
      return discovered.version;
    },
    get isEmpty() {
      return discovered.list.length === 0;
    },
    merge: (groups) => (discovered.list.length === 0 ? groups : merged(groups, discovered.list)),
    isStale: (group, version) =>
      discovered.list.some((one) => one.group === group && one.version === version && one.isStale),
    schemas: () =>
      discovered.list.map(({ group, version }) => ({
        path: `apis/${group}/${version}`,
        hash: discovered.version.toString(16).toUpperCase(),
      })),
  };
}

function merged(groups: Groups, remotes: readonly RemoteVersion[]): Groups {
  const priorities = new Map(remotes.map((one) => [`${one.group}/${one.version}`, one.priority]));
  const priority = (group: string, version: string): Priority =>
    priorities.get(`${group}/${version}`) ?? priorityOf(group, version);
  const all: Groups = new Map([...groups].map(([group, versions]) => [group, new Map(versions)]));
  for (const remote of remotes) {
    const versions = all.get(remote.group) ?? new Map<string, Served[]>();
    versions.set(remote.version, servedOf(remote));
    all.set(remote.group, versions);
  }
  const highest = (group: string, versions: ReadonlyMap<string, unknown>): number =>
    Math.max(...[...versions.keys()].map((version) => priority(group, version).group));
  return new Map(
    [...all]
      .sort(([a, left], [b, right]) => highest(b, right) - highest(a, left))
      .map(([group, versions]) => [
        group,
        new Map([...versions].sort(([a], [b]) => priority(group, b).version - priority(group, a).version)),
      ]),
  );
}

function servedOf({ group, version, resources }: RemoteVersion): Served[] {
  const made = (resource: ApiResource, subresources: readonly Served[]): Served => ({
    name: resource.name,
    singularName: resource.singularName ?? '',
    namespaced: resource.namespaced,
    kind: {
      group: resource.group ?? group,
      version: resource.version ?? version,
      kind: resource.kind,
    },
    verbs: resource.verbs,
    shortNames: resource.shortNames ?? [],
    categories: resource.categories ?? [],
    subresources,
  });
  const below = new Map<string, Served[]>();
  for (const resource of resources) {
    const [owner = '', ...rest] = resource.name.split('/');
    if (rest.length === 0) continue;
    const siblings = below.get(owner) ?? [];
    siblings.push(made(resource, []));
    below.set(owner, siblings);
  }
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map((resource) => made(resource, below.get(resource.name) ?? []));
}
