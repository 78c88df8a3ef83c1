/**
 * The strategy of Events, and what events.k8s.io/v1 asks for besides. Pure. Rules, paths and wording as kube-apiserver has
 * them; an event with an `eventTime` is one of the new way, which must say who reports and what was done.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors, labelKeyErrors } from '../../../src/api/names.js';
import type { Event } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, immutable, invalidValue, required } from '../validation/field.js';

const maxWordBytes = 128;
const maxMessageBytes = 1024;

export const eventStrategy: Strategy<Event> = {
  generation: false,
  allowCreateOnUpdate: true,
  validate: (event) => [
    ...validateNamespace(event),
    ...(event.eventTime === undefined ? [] : validateNew(event)),
    ...allInvalid(
      'namespace',
      event.metadata.namespace ?? '',
      dnsSubdomainErrors(event.metadata.namespace ?? ''),
    ),
  ],
  fields: ({ involvedObject: about, reason, source, type, reportingComponent }) => ({
    'involvedObject.kind': about?.kind ?? '',
    'involvedObject.namespace': about?.namespace ?? '',
    'involvedObject.name': about?.name ?? '',
    'involvedObject.uid': about?.uid ?? '',
    'involvedObject.apiVersion': about?.apiVersion ?? '',
    'involvedObject.resourceVersion': about?.resourceVersion ?? '',
    'involvedObject.fieldPath': about?.fieldPath ?? '',
    reason: reason ?? '',
    reportingComponent: reportingComponent ?? '',
    source: source?.component || reportingComponent || '',
    type: type ?? '',
  }),
};

/** Events are where their object is; those of a cluster-scoped one in `default`, the new ones also in `kube-system`. */
function validateNamespace({ metadata, involvedObject, eventTime }: Event): FieldError[] {
  const { namespace = '' } = involvedObject ?? {};
  const own = metadata.namespace ?? '';
  const isNew = eventTime !== undefined;
  const fits =
    namespace === '' ? own === 'default' || (isNew && own === 'kube-system') : isNew || namespace === own;
  return fits ? [] : [invalidValue('involvedObject.namespace', namespace, 'does not match event.namespace')];
}

function validateNew(event: Event): FieldError[] {
  const { reportingComponent: controller = '', reportingInstance, action, reason, message = '' } = event;
  const word = (field: string, value = ''): FieldError[] => {
    if (value === '') return [required(field)];
    const detail = `can have at most ${maxWordBytes} characters`;
    return value.length > maxWordBytes ? [invalidValue(field, '', detail)] : [];
  };
  const tooLong = invalidValue('message', '', `can have at most ${maxMessageBytes} characters`);
  return [
    ...(controller === '' ? [required('reportingController')] : []),
    ...allInvalid('reportingController', controller, labelKeyErrors(controller)),
    ...word('reportingInstance', reportingInstance),
    ...word('action', action),
    ...word('reason', reason),
    ...(message.length > maxMessageBytes ? [tooLong] : []),
  ];
}

/** What a write through events.k8s.io/v1 must satisfy besides. */
export const validateStrictly = (event: Event, old: Event | undefined): FieldError[] =>
  old ? validateUpdate(event, old) : validateCreate(event);

function validateCreate(event: Event): FieldError[] {
  const { type = '', firstTimestamp, lastTimestamp, count, source } = event;
  const deprecated = {
    firstTimestamp,
    lastTimestamp,
    count: count || undefined,
    source: source?.component || source?.host,
  };
  return [
    ...validateSeries(event),
    ...(event.eventTime === undefined ? [required('eventTime')] : []),
    ...(type === 'Normal' || type === 'Warning'
      ? []
      : [invalidValue('type', '', `has invalid value: ${type}`)]),
    ...Object.entries(deprecated).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [invalidValue(name, '', 'needs to be unset')],
    ),
  ];
}

function validateSeries({ series }: Event): FieldError[] {
  if (!series) return [];
  return [
    ...((series.count ?? 0) < 2 ? [invalidValue('series.count', '', 'should be at least 2')] : []),
    ...(series.lastObservedTime === undefined ? [required('series.lastObservedTime')] : []),
  ];
}

/** Only the series of an event goes on. */
const frozen = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
] as const satisfies readonly (keyof Event)[];

const validateUpdate = (event: Event, old: Event): FieldError[] => [
  ...(isSameJson(event.series, old.series) ? [] : validateSeries(event)),
  ...frozen
    .filter((name) => !isSameJson(event[name], old[name]))
    .map((name) => {
      const field = name === 'reportingComponent' ? 'reportingController' : name;
      return invalidValue(field, event[name] ?? null, immutable);
    }),
];
