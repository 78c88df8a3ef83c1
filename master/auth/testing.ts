/** The default roles and bindings, and more where given, and what nodes need, without a registry behind them. Imported by tests only. */
import type { NodeGraph } from './nodegraph.js';
import type { Rbac } from './rbac.js';
import { asUserRules } from './rbac.js';
import { defaultObjects } from './rbacdefaults.js';
import { type AnyBinding, type AnyRole, RbacIndex } from './rbacindex.js';

export interface TestRoles extends Pick<Rbac, 'decide' | 'held' | 'rulesFor' | 'rulesOf'> {
  index: RbacIndex;
}

export function createTestRoles(more: { roles?: AnyRole[]; bindings?: AnyBinding[] } = {}): TestRoles {
  const index = new RbacIndex();
  const { roles, bindings } = defaultObjects();
  for (const role of [...roles, ...(more.roles ?? [])]) index.changeRole(undefined, role);
  for (const binding of [...bindings, ...(more.bindings ?? [])]) index.changeBinding(undefined, binding);
  return {
    index,
    decide: (attributes) => index.decide(attributes),
    held: (user, namespace) => index.held(user, namespace),
    rulesOf: (roleRef, namespace) => index.rulesOf(roleRef, namespace),
    rulesFor: (user, namespace) => asUserRules(index.held(user, namespace)),
  };
}

/** `a secrets default/s`, `a pods default/web`, `a persistentvolumes pv`: what has to do with which node. */
export function createTestGraph(relations: readonly string[] = []): NodeGraph {
  const has = (...words: string[]): boolean => relations.includes(words.join(' '));
  return {
    uses: (node, kind, { namespace, name }) => has(node, kind, `${namespace}/${name}`),
    hasPod: (node, { namespace, name }) => has(node, 'pods', `${namespace}/${name}`),
    usesVolume: async (node, name) => has(node, 'persistentvolumes', name),
    hasAttachment: async (node, name) => has(node, 'volumeattachments', name),
  };
}
