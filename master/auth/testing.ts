/** The default roles and bindings, and more where given, without a registry behind them. Imported by tests only. */
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
