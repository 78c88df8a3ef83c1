/**
 * The strategy of CertificateSigningRequests: who asks is taken from the request, approval and certificate have a
 * subresource each. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsLabelErrors, dnsSubdomainErrors } from '../../../src/api/names.js';
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from '../../../src/api/types.js';
import { toTime } from '../../../src/host/clock.js';
import { isReadable, pemBlocks } from '../../../src/host/pem.js';
import { requestProblem } from '../../../src/host/x509.js';
import { isSameJson } from '../codec.js';
import type { Strategy, StrategyContext } from '../strategy.js';
import {
  duplicate,
  forbiddenField,
  immutable,
  invalidValue,
  notSupported,
  oneOf,
  required,
  tooLong,
} from '../validation/field.js';

type Request = CertificateSigningRequest;
type Condition = CertificateSigningRequestCondition;

const decisions = ['Approved', 'Denied'];
const legacySigner = 'kubernetes.io/legacy-unknown';
const leastSeconds = 600;
const knownUsages = [
  ...[
    'any',
    'cert sign',
    'client auth',
    'code signing',
    'content commitment',
    'crl sign',
    'data encipherment',
  ],
  ...['decipher only', 'digital signature', 'email protection', 'encipher only', 'ipsec end system'],
  ...['ipsec tunnel', 'ipsec user', 'key agreement', 'key encipherment', 'microsoft sgc', 'netscape sgc'],
  ...['ocsp signing', 's/mime', 'server auth', 'signing', 'timestamping'],
];

export const csrStrategy: Strategy<Request> = {
  generation: false,
  prepareForCreate: ({ user, groups, uid, extra }, request) => ({
    ...request,
    spec: {
      ...request.spec,
      ...{ username: user, groups: [...groups], uid: uid || undefined },
      extra: Object.keys(extra ?? {}).length > 0 ? plainExtra(extra) : undefined,
    },
    status: {},
  }),
  prepareForUpdate: (_context, request, old) => ({ ...request, spec: old.spec, status: old.status }),
  /** The signer's: the certificate and conditions, but not the decision. */
  prepareForStatusUpdate: ({ now }, request, old) => {
    const conditions = stamped(conditionsOf(request), conditionsOf(old), now).map((condition) => {
      const kept = isDecision(condition) && conditionsOf(old).find(({ type }) => type === condition.type);
      return kept || condition;
    });
    return {
      ...request,
      spec: old.spec,
      status: { ...request.status, conditions: orNone(conditions) },
    };
  },
  prepareForSubresourceUpdate: (subresource, { now }, request, old) => {
    if (subresource !== 'approval') return undefined;
    const conditions = stamped(conditionsOf(request), conditionsOf(old), now);
    return { ...request, spec: old.spec, status: { ...old.status, conditions: orNone(conditions) } };
  },
  validate: ({ spec, status }) => [
    ...specErrors(spec),
    ...conditionErrors(status?.conditions ?? []),
    ...certificateErrors(status?.certificate),
  ],
  validateCreate: ({ spec }) => {
    const problem = requestProblem(Buffer.from(spec?.request ?? '', 'base64').toString());
    return problem === undefined ? [] : [invalidValue('spec.request', spec?.request ?? '', problem)];
  },
  validateUpdate: (request, old) =>
    isSameJson(request.spec, old.spec) ? [] : [invalidValue('spec', request.spec, immutable)],
  validateStatusUpdate: (request, old) => [
    ...removalErrors(request, old),
    ...decisions.flatMap((type) => decisionErrors(type, request, old)),
    ...(old.status?.certificate && request.status?.certificate !== old.status.certificate
      ? [forbiddenField('status.certificate', 'updates may not modify existing certificate content')]
      : []),
  ],
  validateSubresourceUpdate: (_subresource, request, old) => [
    ...conditionErrors(conditionsOf(request)),
    ...removalErrors(request, old),
  ],
  fields: ({ spec }) => ({ 'spec.signerName': spec?.signerName ?? '' }),
};

const plainExtra = (extra: StrategyContext['extra']): Record<string, string[]> =>
  Object.fromEntries(Object.entries(extra ?? {}).map(([key, values]) => [key, [...values]]));

const isDecision = ({ type }: Condition): boolean => decisions.includes(type);

/** Times that were left out: now, or that of the same condition before. */
function stamped(conditions: readonly Condition[], old: readonly Condition[], now: Date): Condition[] {
  const at = toTime(now);
  return conditions.map((one) => {
    const before = old.find(({ type, status }) => type === one.type && status === one.status);
    return {
      ...one,
      lastUpdateTime: one.lastUpdateTime ?? at,
      lastTransitionTime: one.lastTransitionTime ?? before?.lastTransitionTime ?? at,
    };
  });
}

function specErrors(spec: Request['spec'] | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const usages = spec?.usages ?? [];
  if (usages.length === 0) errors.push(required('spec.usages', 'usages must be provided'));
  for (const [index, usage] of usages.entries()) {
    if (!knownUsages.includes(usage)) errors.push(notSupported(`spec.usages[${index}]`, usage, knownUsages));
    if (usages.indexOf(usage) < index) errors.push(duplicate(`spec.usages[${index}]`, usage));
  }
  errors.push(...signerErrors(spec?.signerName ?? ''));
  const seconds = spec?.expirationSeconds;
  if (seconds !== undefined && seconds < leastSeconds) {
    const detail = 'may not specify a duration less than 600 seconds (10 minutes)';
    errors.push(invalidValue('spec.expirationSeconds', seconds, detail));
  }
  return errors;
}

/** `domain/path`: a domain of at least two labels, and dot-separated labels. */
function signerErrors(name: string): FieldError[] {
  const field = 'spec.signerName';
  const invalid = (detail: string, value = name): FieldError[] => [invalidValue(field, value, detail)];
  if (name === '') return [required(field, 'signerName must be provided')];
  if (name === legacySigner) return invalid('the legacy signerName is not allowed via this API version');
  const [domain = '', path = '', ...more] = name.split('/');
  if (!name.includes('/') || more.length > 0)
    return invalid("must be a fully qualified domain and path of the form 'example.com/signer-name'");
  const errors = domain.length > 253 ? [tooLong(field, 253)] : [];
  const labels = domain.split('.');
  const wrong = labels.find((label) => dnsLabelErrors(label).length > 0);
  if (wrong !== undefined)
    for (const text of dnsLabelErrors(wrong))
      errors.push(...invalid(`validating label ${JSON.stringify(wrong)}: ${text}`, domain));
  if (labels.length < 2)
    errors.push(...invalid('should be a domain with at least two segments separated by dots', domain));
  const wrongPath = path.split('.').find((label) => dnsSubdomainErrors(label).length > 0);
  if (wrongPath !== undefined)
    for (const text of dnsSubdomainErrors(wrongPath))
      errors.push(...invalid(`validating label ${JSON.stringify(wrongPath)}: ${text}`, path));
  return name.length > 571 ? [...errors, tooLong(field, 571)] : errors;
}

function conditionErrors(conditions: readonly Condition[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, { type, status }] of conditions.entries()) {
    const at = (field: string): string => `status.conditions[${index}].${field}`;
    const before = conditions.slice(0, index);
    if (!type) errors.push(required(at('type')));
    const statuses = [...decisions, 'Failed'].includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
    if (!status) errors.push(required(at('status')));
    else errors.push(...oneOf(at('status'), status, statuses));
    const isOther = (one: Condition): boolean => isDecision(one) && one.type !== type;
    if (decisions.includes(type) && before.some(isOther))
      errors.push(invalidValue(at('type'), type, 'Approved and Denied conditions are mutually exclusive'));
    if (before.some((one) => one.type === type)) errors.push(duplicate(at('type'), type));
  }
  return errors;
}

/** Only certificates, readable ones, and at least one. */
function certificateErrors(certificate: string | undefined): FieldError[] {
  if (!certificate) return [];
  const text = Buffer.from(certificate, 'base64').toString();
  const invalid = (detail: string): FieldError[] => [
    invalidValue('status.certificate', '<certificate data>', detail),
  ];
  const other = [...text.matchAll(/-----BEGIN ([^-]+)-----/g)].find(([, kind]) => kind !== 'CERTIFICATE');
  if (other) return invalid(`only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(other[1])}`);
  const blocks = pemBlocks(text, 'CERTIFICATE');
  if (blocks.length === 0) return invalid('must contain at least one CERTIFICATE PEM block');
  return blocks.every(isReadable) ? [] : invalid('found a CERTIFICATE PEM block that is no certificate');
}

const withType = (request: Request, type: string): Condition[] =>
  conditionsOf(request).filter((condition) => condition.type === type);

/** What was decided stays. */
const removalErrors = (request: Request, old: Request): FieldError[] =>
  [...decisions, 'Failed']
    .filter((type) => withType(request, type).length < withType(old, type).length)
    .map((type) =>
      forbiddenField(
        'status.conditions',
        `updates may not remove a condition of type ${JSON.stringify(type)}`,
      ),
    );

/** Decisions are made through `approval` only. */
const decisionErrors = (type: string, request: Request, old: Request): FieldError[] =>
  withType(request, type).length > withType(old, type).length
    ? [forbiddenField('status.conditions', `updates may not add a condition of type ${JSON.stringify(type)}`)]
    : [];

const conditionsOf = ({ status }: Request): CertificateSigningRequestCondition[] => status?.conditions ?? [];

const orNone = <T>(list: T[]): T[] | undefined => (list.length > 0 ? list : undefined);
