/**
 * Lists in flags: labels (`key=value,...`), taints (`key=value:effect,...`) and resources (`cpu=100m,memory=1Gi`), as
 * kubelet writes them. Pure.
 */
import { labelKeyErrors, labelValueErrors } from '../src/api/names.js';
import { compareQuantities } from '../src/api/quantity.js';

export interface Taint {
  key: string;
  value?: string;
  effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

const partsOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** Throws with the part that is wrong. */
export function parseKeyValues(text: string): Record<string, string> {
  return Object.fromEntries(partsOf(text).map((part) => keyValue(part, part)));
}

/** Labels of Kubernetes' own domains that a node may give itself ("Node authorization", NodeRestriction). */
const ownLabels: ReadonlySet<string> = new Set([
  ...['beta.kubernetes.io/arch', 'beta.kubernetes.io/os', 'beta.kubernetes.io/instance-type'],
  ...['failure-domain.beta.kubernetes.io/region', 'failure-domain.beta.kubernetes.io/zone'],
  ...['kubernetes.io/arch', 'kubernetes.io/hostname', 'kubernetes.io/os'],
  ...['node.kubernetes.io/instance-type', 'topology.kubernetes.io/region', 'topology.kubernetes.io/zone'],
]);

/** Throws for a label that says of a node what only an administrator may say. */
export function parseNodeLabels(text: string): Record<string, string> {
  const labels = parseKeyValues(text);
  for (const key of Object.keys(labels)) {
    const domain = key.includes('/') ? (key.split('/')[0] ?? '') : '';
    const isKubernetes = /(^|\.)(kubernetes|k8s)\.io$/.test(domain);
    const isOfNode = /(^|\.)(kubelet|node)\.kubernetes\.io$/.test(domain);
    if (isKubernetes && !isOfNode && !ownLabels.has(key)) {
      throw new Error(
        `${JSON.stringify(key)} is no label that a node may give itself; of the domains kubernetes.io and k8s.io it may use kubelet.kubernetes.io/*, node.kubernetes.io/*, ${[...ownLabels].join(', ')}`,
      );
    }
  }
  return labels;
}

const reservable = ['cpu', 'memory', 'ephemeral-storage', 'pid'];

/** `cpu=100m,memory=200Mi,ephemeral-storage=1Gi,pid=100`: what is kept back for the host. */
export function parseReserved(text: string): Record<string, string> {
  const parts = partsOf(text).map((part): [string, string] => {
    const equals = part.indexOf('=');
    const [name, amount] = [part.slice(0, equals), part.slice(equals + 1)];
    if (!reservable.includes(name)) {
      throw new Error(`${JSON.stringify(part)} must be one of ${reservable.join(', ')} with =amount`);
    }
    if (isNegative(amount, part)) throw new Error(`${JSON.stringify(part)} is less than nothing`);
    return [name, amount];
  });
  return Object.fromEntries(parts);
}

function isNegative(amount: string, part: string): boolean {
  try {
    return compareQuantities(amount, '0') < 0;
  } catch (error) {
    throw new Error(`${JSON.stringify(part)} has no amount like 100m or 1Gi`, { cause: error });
  }
}

/** `pods` or `none`. */
export function parseEnforced(text: string): readonly 'pods'[] {
  const parts = partsOf(text).filter((part) => part !== 'none');
  for (const part of parts) {
    if (part !== 'pods') {
      throw new Error(`${JSON.stringify(part)} is not enforced; take "pods", or "none"`);
    }
  }
  return parts.length > 0 ? ['pods'] : [];
}

export function parseTaints(text: string): Taint[] {
  return partsOf(text).map((part) => {
    const colon = part.lastIndexOf(':');
    const effect = part.slice(colon + 1);
    if (colon < 0 || !isEffect(effect)) {
      throw new Error(`${JSON.stringify(part)} must end in :NoSchedule, :PreferNoSchedule or :NoExecute`);
    }
    const [key, value] = keyValue(part.slice(0, colon), part);
    return { key, ...(value !== '' && { value }), effect };
  });
}

function keyValue(text: string, part: string): [string, string] {
  const equals = text.indexOf('=');
  const key = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? '' : text.slice(equals + 1);
  if (labelKeyErrors(key).length + labelValueErrors(value).length > 0)
    throw new Error(`${JSON.stringify(part)} is not key=value`);
  return [key, value];
}

const isEffect = (text: string): text is Taint['effect'] =>
  text === 'NoSchedule' || text === 'PreferNoSchedule' || text === 'NoExecute';
