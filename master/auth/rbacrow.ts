/** How the tables of default roles and bindings are written: one row per object, words apart by a space. Pure. */
import type { PolicyRule, Subject } from '../../src/api/types.js';
import { rbacGroup } from './rbacindex.js';

export interface RoleRow {
  name: string;
  /** Absent for a ClusterRole. */
  namespace?: string;
  rules: readonly PolicyRule[];
  /** `view`: what the role of this name gathers. */
  partOf?: string;
  /** Gathers the rules of all roles that are part of it. */
  isGathered?: true;
}

export interface BindingRow {
  name: string;
  /** Absent for a ClusterRoleBinding. */
  namespace?: string;
  role: string;
  /** Of the binding's own namespace instead of the whole cluster. */
  roleKind?: 'Role';
  subjects: readonly Subject[];
}

export const read = 'get list watch';
export const write = 'create update patch delete deletecollection';
export const all = `${read} ${write}`;

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

/** `groups` of one name may be '', the core group; among several it is written `core`. */
export const may = (verbs: string, groups: string, resources: string, names = ''): PolicyRule => ({
  verbs: words(verbs),
  apiGroups: groups === '' ? [''] : words(groups).map((group) => (group === 'core' ? '' : group)),
  resources: words(resources),
  ...(names && { resourceNames: words(names) }),
});

export const mayGet = (paths: string): PolicyRule => ({ verbs: ['get'], nonResourceURLs: words(paths) });

export const reportsEvents = may('create patch update', 'core events.k8s.io', 'events');

const named = (kind: string, names: string): Subject[] =>
  words(names).map((name) => ({ kind, apiGroup: rbacGroup, name }));

export const users = (names: string): Subject[] => named('User', names);
export const groups = (names: string): Subject[] => named('Group', names);
export const accounts = (names: string): Subject[] =>
  words(names).map((name) => ({ kind: 'ServiceAccount', namespace: 'kube-system', name }));
