/**
 * Strategy of APIService: defaults, and validation with the paths and words of kube-aggregator. Who serves them is in
 * `master/aggregation/`.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dns1035LabelErrors, dnsSubdomainErrors } from '../../../src/api/names.js';
import type { APIService, APIServiceSpec } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, invalidValue, isPort, portRange, required } from '../validation/field.js';

const maxGroupPriority = 20_000;
const maxVersionPriority = 1_000;

export const apiServiceStrategy: Strategy<APIService> = {
  default: (object) => {
    const { spec } = object;
    if (!spec?.service || spec.service.port !== undefined) return object;
    return { ...object, spec: { ...spec, service: { ...spec.service, port: 443 } } };
  },
  generation: false,
  // Of the core group the name ends with a dot: `v1.`.
  validateName: (name) =>
    name === '.' || name === '..'
      ? [`may not be '${name}'`]
      : ['/', '%'].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`),
  validate: ({ metadata, spec }) => [
    ...validateName(metadata.name ?? '', spec),
    ...(spec ? validateSpec(spec) : [required('spec')]),
  ],
};

export const apiServiceName = ({
  group = '',
  version = '',
}: Pick<APIServiceSpec, 'group' | 'version'>): string => `${version}.${group}`;

function validateName(name: string, spec: APIServiceSpec | undefined): FieldError[] {
  const wanted = apiServiceName(spec ?? {});
  const detail = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`;
  return name === wanted ? [] : [invalidValue('metadata.name', name, detail)];
}

function validateSpec(spec: APIServiceSpec): FieldError[] {
  const { group = '', version = '', groupPriorityMinimum, versionPriority } = spec;
  const errors: FieldError[] = [
    ...(group === '' ? [] : allInvalid('spec.group', group, dnsSubdomainErrors(group))),
    ...allInvalid('spec.version', version, dns1035LabelErrors(version)),
  ];
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > maxGroupPriority) {
    const detail = `must be positive and less than ${maxGroupPriority}`;
    errors.push(invalidValue('spec.groupPriorityMinimum', groupPriorityMinimum, detail));
  }
  if (versionPriority <= 0 || versionPriority > maxVersionPriority) {
    const detail = `must be positive and less than ${maxVersionPriority}`;
    errors.push(invalidValue('spec.versionPriority', versionPriority, detail));
  }
  return [...errors, ...validateService(spec)];
}

function validateService({
  service,
  caBundle = '',
  insecureSkipTLSVerify = false,
}: APIServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (!service) {
    const bytes = `${Buffer.byteLength(caBundle, 'base64')} bytes`;
    if (caBundle !== '')
      errors.push(invalidValue('spec.caBundle', bytes, 'local APIServices may not have a caBundle'));
    if (insecureSkipTLSVerify) {
      const detail = 'local APIServices may not have insecureSkipTLSVerify';
      errors.push(invalidValue('spec.insecureSkipTLSVerify', true, detail));
    }
    return errors;
  }
  if (!service.namespace) errors.push(required('spec.service.namespace'));
  if (!service.name) errors.push(required('spec.service.name'));
  if (service.port !== undefined && !isPort(service.port))
    errors.push(invalidValue('spec.service.port', service.port, `port is not valid: ${portRange}`));
  if (insecureSkipTLSVerify && caBundle !== '')
    errors.push(invalidValue('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'));
  return errors;
}
