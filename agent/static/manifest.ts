/**
 * The text of a manifest file -> pods, as they are written there. Pure. YAML or JSON; one file may hold several documents
 * and lists. A document that is no valid Pod is told with its place and left out; the others count.
 */
import { parseAllDocuments } from 'yaml';
import { type FieldError, fieldErrorText } from '../../src/api/errors.js';
import { checkObject } from '../../src/api/schema/check.js';
import type { Pod } from '../../src/api/types.js';

export interface Manifest {
  pods: Pod[];
  /** One line each, without the file's name. */
  problems: string[];
}

const podKind = { group: '', version: 'v1', kind: 'Pod' };

export function parseManifest(text: string): Manifest {
  const pods: Pod[] = [];
  const problems: string[] = [];
  for (const document of parseAllDocuments(text)) {
    const [error] = document.errors;
    if (error) problems.push(error.message.split('\n')[0] ?? 'no YAML');
    else readDocument(document.toJS(), pods, problems);
  }
  return { pods, problems };
}

function readDocument(value: unknown, pods: Pod[], problems: string[]): void {
  if (value === null || value === undefined) return;
  const { apiVersion, kind, items } = value as { apiVersion?: unknown; kind?: unknown; items?: unknown };
  if (apiVersion === 'v1' && (kind === 'PodList' || kind === 'List') && Array.isArray(items)) {
    for (const item of items) readDocument({ apiVersion: 'v1', kind: 'Pod', ...item }, pods, problems);
    return;
  }
  if (apiVersion !== 'v1' || kind !== 'Pod') {
    problems.push(`apiVersion ${JSON.stringify(apiVersion)}, kind ${JSON.stringify(kind)}: not a v1 Pod`);
    return;
  }
  const { errors, unknown } = checkObject(podKind, value);
  const pod = value as Pod;
  const told = [...errors.map(lineOf), ...unknown.map((field) => `unknown field ${JSON.stringify(field)}`)];
  if (told.length === 0) pods.push(pod);
  else problems.push(...told.map((line) => `pod ${JSON.stringify(pod.metadata?.name ?? '')}: ${line}`));
}

export const lineOf = (error: FieldError): string => `${error.field}: ${fieldErrorText(error)}`;
