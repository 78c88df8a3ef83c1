/**
 * The parameters of a container's log, as `kubectl logs` sends them. Pure. Called by `agent/server`.
 *
 * The same rules as kube-apiserver's: counts are whole numbers, at most one of sinceTime and sinceSeconds.
 */
import { badRequest, type FieldError, invalid } from '../../src/api/errors.js';

export interface LogSelection {
  follow: boolean;
  timestamps: boolean;
  /** Of the container's run before the present one. */
  previous: boolean;
  /** Only this many lines from the end. */
  tailLines?: number;
  /** Only lines from this moment on. */
  since?: Date;
  /** Only what was written to this one. */
  stream?: 'stdout' | 'stderr';
  /** Ends after this many bytes, also within a line. */
  limitBytes?: number;
}

/** Throws 400 for what cannot be read and 422 for what is out of range. */
export function parseLogSelection(query: URLSearchParams, now: Date): LogSelection {
  const errors: FieldError[] = [];
  const count = (field: string, minimum: 0 | 1): number | undefined => {
    const text = query.get(field);
    if (text === null || text === '') return undefined;
    if (!/^[+-]?\d+$/.test(text))
      throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    const detail = minimum === 0 ? 'must be greater than or equal to 0' : 'must be greater than 0';
    if (Number(text) < minimum) errors.push({ type: 'Invalid', field, value: Number(text), detail });
    return Number(text);
  };
  const tailLines = count('tailLines', 0);
  const limitBytes = count('limitBytes', 1);
  const sinceSeconds = count('sinceSeconds', 1);
  const sinceTime = query.get('sinceTime') || undefined;
  if (sinceTime !== undefined && sinceSeconds !== undefined) {
    const detail = 'at most one of `sinceTime` or `sinceSeconds` may be specified';
    errors.push({ type: 'Forbidden', field: 'sinceSeconds', detail });
  }
  const stream = query.get('stream') || 'All';
  if (stream !== 'All' && stream !== 'Stdout' && stream !== 'Stderr') {
    throw badRequest(`stream ${JSON.stringify(stream)} is none of All, Stdout, Stderr`);
  }
  if (errors.length > 0) throw invalid({ group: '', kind: 'PodLogOptions', name: '' }, errors);
  const since = sinceTime === undefined ? ago(now, sinceSeconds) : parseTime(sinceTime);
  return {
    follow: isTrue(query.get('follow')),
    timestamps: isTrue(query.get('timestamps')),
    previous: isTrue(query.get('previous')),
    ...(tailLines !== undefined && { tailLines }),
    ...(since && { since }),
    ...(stream !== 'All' && { stream: stream === 'Stdout' ? 'stdout' : 'stderr' }),
    ...(limitBytes !== undefined && { limitBytes }),
  };
}

/** Present and not said to be false, as Kubernetes reads booleans of a query. */
export const isTrue = (value: string | null): boolean =>
  value !== null && value !== '0' && value.toLowerCase() !== 'false';

const ago = (now: Date, seconds: number | undefined): Date | undefined =>
  seconds === undefined ? undefined : new Date(now.getTime() - seconds * 1000);

function parseTime(text: string): Date {
  const date = new Date(text);
  if (!Number.isNaN(date.getTime())) return date;
  throw badRequest(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse`);
}
