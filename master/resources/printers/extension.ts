/** The columns of what extends the API: webhooks, admission policies, aggregated APIs. Pure. */
import type {
  APIService,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, createdAge, integer, nameColumn, text } from './age.js';

type WebhookConfiguration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

export const webhookPrinter: Printer<WebhookConfiguration> = {
  columns: [nameColumn, integer('Webhooks', 'Number of webhooks.'), ageColumn],
  cells: (object, now) => [object.metadata.name, object.webhooks?.length ?? 0, createdAge(object, now)],
};

const unset = '<unset>';
const kindColumn = text('ParamKind', 'The kind of its parameters.');

const kindText = (kind: ParamKind | undefined): string =>
  kind ? `${kind.apiVersion ?? ''}/${kind.kind ?? ''}` : unset;

export const validatingPolicyPrinter: Printer<ValidatingAdmissionPolicy> = {
  columns: [nameColumn, integer('Validations', 'Number of validations.'), kindColumn, ageColumn],
  cells: ({ metadata, spec, ...rest }, now) => [
    metadata.name,
    spec?.validations?.length ?? 0,
    kindText(spec?.paramKind),
    createdAge({ metadata, ...rest }, now),
  ],
};

export const mutatingPolicyPrinter: Printer<MutatingAdmissionPolicy> = {
  columns: [nameColumn, integer('Mutations', 'Number of mutations.'), kindColumn, ageColumn],
  cells: ({ metadata, spec, ...rest }, now) => [
    metadata.name,
    spec?.mutations?.length ?? 0,
    kindText(spec?.paramKind),
    createdAge({ metadata, ...rest }, now),
  ],
};

function refText(ref: ParamRef | undefined): string {
  if (!ref?.name) return ref?.selector ? '<selector>' : unset;
  return ref.namespace ? `${ref.namespace}/${ref.name}` : ref.name;
}

export const policyBindingPrinter: Printer<
  ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding
> = {
  columns: [
    nameColumn,
    text('PolicyName', 'The policy it puts into force.'),
    text('ParamRef', 'The parameters of the policy.'),
    ageColumn,
  ],
  cells: (object, now) => [
    object.metadata.name,
    object.spec?.policyName ?? '',
    refText(object.spec?.paramRef),
    createdAge(object, now),
  ],
};

export const apiServicePrinter: Printer<APIService> = {
  columns: [
    nameColumn,
    text('Service', 'Who serves it.'),
    text('Available', 'Whether it can be reached.'),
    ageColumn,
  ],
  cells: (object, now) => {
    const { service } = object.spec ?? {};
    const available = object.status?.conditions?.find(({ type }) => type === 'Available');
    const { status = 'Unknown', reason } = available ?? {};
    return [
      object.metadata.name,
      service ? `${service.namespace}/${service.name}` : 'Local',
      status !== 'True' && reason ? `${status} (${reason})` : status,
      createdAge(object, now),
    ];
  },
};
