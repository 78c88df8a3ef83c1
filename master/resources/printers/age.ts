/**
 * Ages and durations as kubectl users know them (`45s`, `5m3s`, `26h`, `5d3h`), and the columns most kinds share. Pure.
 */
import type { KubeObject } from '../../../src/api/types.js';
import type { Column } from '../resource.js';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

const unit = (ms: number, size: number): number => Math.floor(ms / size);

/** `5m3s`, or `5m` when the smaller unit is zero. */
const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;

/** Two digits of precision at most, finer for shorter times; apimachinery's `HumanDuration`. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / second);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = unit(ms, minute);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = unit(ms, hour);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = unit(ms, day);
  if (hours < 192) return pair(days, 'd', hours % 24, 'h');
  const years = unit(ms, year);
  if (years < 2) return `${days}d`;
  return years < 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`;
}

/** How long ago; `<unknown>` without a time. */
export function ageOf(time: string | undefined, now: Date): string {
  const at = Date.parse(time ?? '');
  return Number.isNaN(at) ? '<unknown>' : humanDuration(now.getTime() - at);
}

export const createdAge = (object: KubeObject, now: Date): string =>
  ageOf(object.metadata.creationTimestamp, now);

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Unique within its namespace, or within the cluster.',
};

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
};

export const text = (name: string, description: string): Column => ({ name, type: 'string', description });

export const integer = (name: string, description: string): Column => ({
  name,
  type: 'integer',
  description,
});

/** Shows with `-o wide` only. */
export const wide = (column: Column): Column => ({ ...column, priority: 1 });
