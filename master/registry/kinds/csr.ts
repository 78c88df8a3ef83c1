/**
 * The strategy of CertificateSigningRequests: who asks is taken from the request, approval and certificate have a
 * subresource each. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { forbiddenField, immutable, invalidValue, required } from '../validation/field.js';

type Request = CertificateSigningRequest;

const decisions = ['Approved', 'Denied'];

export const csrStrategy: Strategy<Request> = {
  generation: false,
  prepareForCreate: ({ user, groups }, request) => ({
    ...request,
    spec: { ...request.spec, username: user, groups: [...groups], uid: undefined, extra: undefined },
    status: {},
  }),
  prepareForUpdate: (_context, request, old) => ({ ...request, spec: old.spec, status: old.status }),
  /** The signer's: the certificate and conditions, but not the decision. */
  prepareForStatusUpdate: (_context, request, old) => {
    const kept = conditionsOf(old).filter(({ type }) => decisions.includes(type));
    const added = conditionsOf(request).filter(({ type }) => !decisions.includes(type));
    return {
      ...request,
      spec: old.spec,
      status: { ...request.status, conditions: orNone([...kept, ...added]) },
    };
  },
  prepareForSubresourceUpdate: (subresource, { now }, request, old) => {
    if (subresource !== 'approval') return undefined;
    const at = `${now.toISOString().slice(0, 19)}Z`;
    const conditions = conditionsOf(request).map((one) => ({
      ...one,
      lastUpdateTime: one.lastUpdateTime ?? at,
      lastTransitionTime: one.lastTransitionTime ?? at,
    }));
    return { ...request, spec: old.spec, status: { ...old.status, conditions: orNone(conditions) } };
  },
  validate: ({ spec }) => {
    const errors: FieldError[] = [];
    const text = Buffer.from(spec?.request ?? '', 'base64').toString();
    if (!text.includes('-----BEGIN CERTIFICATE REQUEST-----')) {
      errors.push(
        invalidValue('spec.request', spec?.request ?? '', 'PEM block type must be CERTIFICATE REQUEST'),
      );
    }
    if (!spec?.usages?.length) errors.push(required('spec.usages'));
    if (!spec?.signerName) errors.push(required('spec.signerName'));
    else if (!/^[-.a-z0-9]+\/[-.a-z0-9:]+$/.test(spec.signerName)) {
      errors.push(
        invalidValue(
          'spec.signerName',
          spec.signerName,
          'must be a fully qualified domain and path of the form "example.com/signer-name"',
        ),
      );
    }
    const seconds = spec?.expirationSeconds;
    if (seconds !== undefined && seconds < 600)
      errors.push(
        invalidValue(
          'spec.expirationSeconds',
          seconds,
          'may not specify a duration less than 600 seconds (10 minutes)',
        ),
      );
    return errors;
  },
  validateUpdate: (request, old) =>
    isSameJson(request.spec, old.spec) ? [] : [invalidValue('spec', request.spec, immutable)],
  validateStatusUpdate: ({ status }, old) =>
    old.status?.certificate && status?.certificate !== old.status.certificate
      ? [forbiddenField('status.certificate', 'may not be changed once set')]
      : [],
  fields: ({ spec }) => ({ 'spec.signerName': spec?.signerName ?? '' }),
};

const conditionsOf = ({ status }: Request): CertificateSigningRequestCondition[] => status?.conditions ?? [];

const orNone = <T>(list: T[]): T[] | undefined => (list.length > 0 ? list : undefined);
