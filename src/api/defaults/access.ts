/** Defaults of role bindings, priority classes, limits and quotas, as documented. Pure; every function changes its argument. */
import type { ClusterRoleBinding, LimitRange, PriorityClass, ResourceQuota, RoleBinding } from '../types.js';
import { roundToMilli } from './resources.js';

const rbac = 'rbac.authorization.k8s.io';

/** Users and groups belong to the group of RBAC itself, service accounts to core. */
export function defaultBinding(binding: RoleBinding | ClusterRoleBinding): void {
  if (binding.roleRef) binding.roleRef.apiGroup ||= rbac;
  for (const subject of binding.subjects ?? [])
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= rbac;
}

export function defaultPriorityClass(priorityClass: PriorityClass): void {
  priorityClass.preemptionPolicy ??= 'PreemptLowerPriority';
}

/** What a container gets that says nothing follows from what it may have at most and at least. */
export function defaultLimitRange({ spec }: LimitRange): void {
  for (const item of spec?.limits ?? []) {
    for (const list of [item.max, item.min, item.default, item.defaultRequest, item.maxLimitRequestRatio])
      roundToMilli(list);
    if (item.type !== 'Container') continue;
    item.default = { ...item.max, ...item.default };
    item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
    if (Object.keys(item.default).length === 0) delete item.default;
    if (Object.keys(item.defaultRequest).length === 0) delete item.defaultRequest;
  }
}

export function defaultResourceQuota({ spec, status }: ResourceQuota): void {
  for (const list of [spec?.hard, status?.hard, status?.used]) roundToMilli(list);
}
