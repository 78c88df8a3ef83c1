/** The columns of the small kinds: one glance at what is in them. Pure. */
import type {
  CertificateSigningRequest,
  ConfigMap,
  Event,
  Lease,
  Namespace,
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
  `${about?.kind?.toLowerCase() ?? ''}/${about?.name ?? ''}`;

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
    event.type,
    event.reason,
    objectText(event.involvedObject),
    event.involvedObject?.fieldPath ?? '',
    sourceOf(event),
    event.message?.trim(),
    ageOf(event.firstTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp, now),
    event.series?.count ?? event.count ?? 1,
    event.metadata.name,
  ],
};

function lastSeen(event: Event, now: Date): string {
  const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime;
  return ageOf(last ?? event.metadata.creationTimestamp, now);
}

function sourceOf({ source, reportingComponent }: Event): string {
  const parts = [source?.component ?? reportingComponent, source?.host];
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
