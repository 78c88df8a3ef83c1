/** Events as events.k8s.io writes them: the same objects as those of core under other names of fields. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import type { Event, KubeObject } from '../../../src/api/types.js';
import { validateStrictly } from '../../registry/kinds/event.js';

/** Here, and in core. All other fields are called the same. */
const names = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
] as const;

const toCore = new Map<string, string>(names);
const fromCore = new Map<string, string>(names.map(([here, core]) => [core, here]));

const renamed = (object: KubeObject, apiVersion: string, to: ReadonlyMap<string, string>): KubeObject => ({
  ...(Object.fromEntries(
    Object.entries(object).map(([name, value]) => [to.get(name) ?? name, value]),
  ) as unknown as KubeObject),
  apiVersion,
});

/** What is not said of an object is that it is none: core asks for one. */
export const eventToStored = (object: KubeObject): KubeObject =>
  ({ involvedObject: {}, ...renamed(object, 'v1', toCore) }) as KubeObject;

export const eventFromStored = (apiVersion: string, object: KubeObject): KubeObject =>
  renamed(object, apiVersion, fromCore);

const about = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

/** Field selectors of events.k8s.io, and what core calls them. */
export const eventFieldLabels: Readonly<Record<string, string>> = {
  ...Object.fromEntries(about.map((name) => [`regarding.${name}`, `involvedObject.${name}`])),
  reportingController: 'reportingComponent',
};

/** v1 is strict where v1beta1 took what core takes. */
export const eventErrors = (
  errors: readonly FieldError[],
  object: KubeObject,
  old: KubeObject | undefined,
): readonly FieldError[] => [...errors, ...validateStrictly(object as Event, old as Event | undefined)];
