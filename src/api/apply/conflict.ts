/**
 * Why an apply was refused: others own what it would change. Pure.
 */
import { ApiError } from '../errors.js';
import { pathsOf, pathText } from './fields.js';
import { type Entry, ownerKey } from './managed.js';
import type { Conflict } from './track.js';

export class ApplyConflict extends Error {
  override readonly name = 'ApplyConflict';
  readonly conflicts: readonly Conflict[];

  constructor(conflicts: readonly Conflict[]) {
    super('conflicts');
    this.conflicts = conflicts;
  }

  /** 409 with a cause for every field, as kube-apiserver words it. */
  toApiError(): ApiError {
    const sorted = [...this.conflicts].sort((a, b) => (ownerKey(a.entry) < ownerKey(b.entry) ? -1 : 1));
    const found = sorted.map(({ entry, fields }) => ({
      owner: ownerText(entry),
      paths: pathsOf(fields).map(pathText),
    }));
    const causes = found.flatMap(({ owner, paths }) =>
      paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${owner}`, field })),
    );
    const [only] = causes;
    const lines = found.flatMap(({ owner, paths }) => [
      `conflicts with ${owner}:`,
      ...paths.map((path) => `- ${path}`),
    ]);
    const message =
      only && causes.length === 1
        ? `Apply failed with 1 conflict: ${only.message}: ${only.field}`
        : `Apply failed with ${causes.length} conflicts: ${lines.join('\n')}`;
    return new ApiError('Conflict', message, { causes }, { cause: this });
  }
}

function ownerText({ manager, operation, apiVersion, subresource }: Entry): string {
  const name =
    JSON.stringify(manager) + (subresource ? ` with subresource ${JSON.stringify(subresource)}` : '');
  return operation === 'Update' ? `${name} using ${apiVersion}` : name;
}
