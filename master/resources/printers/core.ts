/** The columns of the small kinds: one glance at what is in them. Pure. */
import type {
  CertificateSigningRequest,
  ComponentStatus,
  ConfigMap,
  Event,
  Lease,
  Namespace,
  ResourceQuota,
  Secret,
  ServiceAccount,
} from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, ageOf, createdAge, humanDuration, integer, nameColumn, text, wide } from './age.js';

const count = (values: Record<string, unknown> | undefined): number => Object.keys(values ?? {}).length;

export const namespacePrinter: Printer<Namespace> = {
  columns: [nameColumn, text('Status', 'Active, or Terminating while its content is deleted.'), ageColumn],
  cells: (object, now) => [object.metadata.name, object.status?.phase, createdAge(object, now)],
};

export const configMapPrinter: Printer<ConfigMap> = {
  columns: [nameColumn, integer('Data', 'Number of keys.'), ageColumn],
  cells: (object, now) => [
    object.metadata.name,
    count(object.data) + count(object.binaryData),
    createdAge(object, now),
  ],
};

export const secretPrinter: Printer<Secret> = {
  columns: [nameColumn, text('Type', 'What it is for.'), integer('Data', 'Number of keys.'), ageColumn],
  cells: (object, now) => [object.metadata.name, object.type, count(object.data), createdAge(object, now)],
};

export const serviceAccountPrinter: Printer<ServiceAccount> = {
  columns: [nameColumn, integer('Secrets', 'Secrets its pods may use.'), ageColumn],
  cells: (object, now) => [object.metadata.name, object.secrets?.length ?? 0, createdAge(object, now)],
};

export const leasePrinter: Printer<Lease> = {
  columns: [nameColumn, text('Holder', 'Who holds it.'), ageColumn],
  cells: (object, now) => [object.metadata.name, object.spec?.holderIdentity ?? '', createdAge(object, now)],
};

const objectText = (about: Event['involvedObject'] | undefined): string =>
  about?.name ? `${about.kind?.toLowerCase() ?? ''}/${about.name}` : (about?.kind?.toLowerCase() ?? '');

export const eventPrinter: Printer<Event> = {
  columns: [
    text('Last Seen', 'When it happened last.'),
    text('Type', 'Normal or Warning.'),
    text('Reason', 'Why, in one word.'),
    text('Object', 'What it is about.'),
    wide(text('Subobject', 'The part of the object it is about.')),
    wide(text('Source', 'Who reported it.')),
    text('Message', 'What happened.'),
    wide(text('First Seen', 'When it happened first.')),
    wide(integer('Count', 'How often it happened.')),
    wide(nameColumn),
  ],
  cells: (event, now) => [
    lastSeen(event, now),
    event.type ?? '',
    event.reason ?? '',
    objectText(event.involvedObject),
    event.involvedObject?.fieldPath ?? '',
    sourceOf(event),
    event.message?.trim() ?? '',
    ageOf(event.firstTimestamp ?? event.eventTime, now),
    countOf(event),
    event.metadata.name,
  ],
};

const lastSeen = ({ series, lastTimestamp, firstTimestamp, eventTime }: Event, now: Date): string =>
  ageOf(series?.lastObservedTime ?? lastTimestamp ?? firstTimestamp ?? eventTime, now);

/** A series counts from the second time on; an event of the new way that happened once counts nothing. */
const countOf = ({ series, count }: Event): number => (series ? (series.count ?? 0) + 1 : count || 1);

function sourceOf({ source, reportingComponent, reportingInstance }: Event): string {
  const parts = [source?.component || reportingComponent, source?.host || reportingInstance];
  return parts.filter(Boolean).join(', ');
}

export const csrPrinter: Printer<CertificateSigningRequest> = {
  columns: [
    nameColumn,
    ageColumn,
    text('SignerName', 'Who is asked to sign.'),
    text('Requestor', 'Who asks.'),
    text('RequestedDuration', 'For how long the certificate is asked.'),
    text('Condition', 'Pending, or what was decided.'),
  ],
  cells: (request, now) => [
    request.metadata.name,
    createdAge(request, now),
    request.spec.signerName,
    request.spec.username,
    request.spec.expirationSeconds ? humanDuration(request.spec.expirationSeconds * 1000) : '<none>',
    conditionOf(request),
  ],
};

function conditionOf({ status }: CertificateSigningRequest): string {
  const decided = (status?.conditions ?? []).map(({ type }) => type);
  const words = decided.length > 0 ? decided : ['Pending'];
  return [...words, ...(status?.certificate ? ['Issued'] : [])].join(',');
}

export const resourceQuotaPrinter: Printer<ResourceQuota> = {
  columns: [
    nameColumn,
    text('Request', 'How much is used of what may be asked for.'),
    text('Limit', 'How much is used of what limits may add up to.'),
    ageColumn,
  ],
  cells: (quota, now) => {
    const { hard = {}, used = {} } = quota.status ?? {};
    const texts = Object.keys(hard)
      .sort()
      .map((name) => [name, `${name}: ${used[name] ?? '0'}/${hard[name]}`] as const);
    const isLimit = (name: string): boolean => name.startsWith('limits.');
    return [
      quota.metadata.name,
      texts.flatMap(([name, shown]) => (isLimit(name) ? [] : [shown])).join(', '),
      texts.flatMap(([name, shown]) => (isLimit(name) ? [shown] : [])).join(', '),
      createdAge(quota, now),
    ];
  },
};

export const componentStatusPrinter: Printer<ComponentStatus> = {
  columns: [
    nameColumn,
    text('Status', 'Whether it is healthy.'),
    text('Message', 'What it says of itself.'),
    text('Error', 'What is wrong with it.'),
  ],
  cells: ({ metadata, conditions }) => {
    const healthy = conditions?.find(({ type }) => type === 'Healthy');
    const word = healthy ? (healthy.status === 'True' ? 'Healthy' : 'Unhealthy') : 'Unknown';
    return [metadata.name, word, healthy?.message ?? '', healthy?.error ?? ''];
  },
};
