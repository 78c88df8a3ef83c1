/**
 * 1. In which order groups and versions are listed: the higher the earlier. Those of the built-in groups are Kubernetes'
 * own, so that aggregated groups find the place their authors meant. Pure.
 */

export interface Priority {
  group: number;
  version: number;
}

const groups: Readonly<Record<string, number>> = {
  '': 18_000,
  extensions: 17_900,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'admissionregistration.k8s.io': 16_700,
  'apiextensions.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
  'internal.apiserver.k8s.io': 16_000,
  'resource.k8s.io': 15_900,
  'metrics.k8s.io': 100,
};

/** Of groups that CustomResourceDefinitions bring. */
const customGroup = 1_000;
const customVersion = 100;

/** A stable version before a beta before an alpha, higher numbers first. */
function builtInVersion(version: string): number {
  const [, major = '0', stage] = /^v(\d+)(?:(alpha|beta)\d+)?$/.exec(version) ?? [];
  if (stage === 'alpha') return 1;
  return stage === 'beta' ? 9 : 14 + Number(major);
}

export const isBuiltInGroup = (group: string): boolean => Object.hasOwn(groups, group);

export function priorityOf(group: string, version: string): Priority {
  const known = groups[group];
  if (known === undefined) return { group: customGroup, version: customVersion };
  return { group: known, version: builtInVersion(version) };
}
