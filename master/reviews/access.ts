/**
 * The answers of authorization.k8s.io/v1: the server's own authorizer, asked about somebody. Called by the registry for
 * every POST of a review; nothing is stored. Validation and wording are those of kube-apiserver.
 */
import { badRequest, type FieldError, invalid } from '../../src/api/errors.js';
import type {
  FieldSelectorAttributes,
  KubeObject,
  LabelSelectorAttributes,
  LocalSubjectAccessReview,
  NonResourceAttributes,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
  SubjectRulesReviewStatus,
} from '../../src/api/types.js';
import {
  type Attributes,
  type Authorizer,
  pathAttributes,
  type RuleResolver,
  type UserRules,
} from '../auth/auth.js';
import type { User } from '../registry/registry.js';
import { forbiddenField, invalidValue, required } from '../registry/validation/field.js';
import type { Virtual } from '../registry/virtual.js';

const group = 'authorization.k8s.io';

type Questions = Pick<SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>;

/** Keyed as the registry wants them. */
export function accessReviews(authorizer: Authorizer & RuleResolver): ReadonlyMap<string, Virtual> {
  async function decide<T extends KubeObject>(
    review: T,
    user: User,
    questions: Questions,
  ): Promise<KubeObject> {
    const decision = await authorizer.authorize(attributesOf(user, questions));
    const { allowed, denied = false, reason } = decision;
    return { ...review, status: { allowed, ...(denied && { denied }), ...(reason && { reason }) } } as T;
  }

  return new Map<string, Virtual>([
    [
      `selfsubjectaccessreviews.${group}`,
      {
        create(object, { user }) {
          const review = withSpec(object as SelfSubjectAccessReview);
          check('SelfSubjectAccessReview', [...questionErrors(review.spec), ...metadataErrors(review)]);
          return decide(review, user, review.spec);
        },
      },
    ],
    [
      `subjectaccessreviews.${group}`,
      {
        create(object) {
          const review = withSpec(object as SubjectAccessReview);
          check('SubjectAccessReview', [...subjectErrors(review.spec), ...metadataErrors(review)]);
          return decide(review, subjectOf(review.spec), review.spec);
        },
      },
    ],
    [
      `localsubjectaccessreviews.${group}`,
      {
        create(object) {
          const review = withSpec(object as LocalSubjectAccessReview);
          check('LocalSubjectAccessReview', localErrors(review));
          return decide(review, subjectOf(review.spec), review.spec);
        },
      },
    ],
    [
      `selfsubjectrulesreviews.${group}`,
      {
        async create(object, { user }) {
          const review = withSpec(object as SelfSubjectRulesReview);
          const { namespace } = review.spec;
          if (!namespace) throw badRequest('no namespace on request');
          const status = rulesStatus(await authorizer.rulesFor(user, namespace));
          return { ...review, spec: {}, status } as KubeObject;
        },
      },
    ],
  ]);
}

/** The schema lets it be left out. */
const withSpec = <T extends { spec: object }>(review: T): T =>
  review.spec ? review : { ...review, spec: {} };

/** What is asked, as the HTTP layer would ask it of a request. */
function attributesOf(user: User, { resourceAttributes, nonResourceAttributes }: Questions): Attributes {
  if (nonResourceAttributes) {
    const { verb = '', path = '' }: NonResourceAttributes = nonResourceAttributes;
    return pathAttributes(user, verb, path);
  }
  const about: ResourceAttributes = resourceAttributes ?? {};
  return {
    user,
    verb: about.verb ?? '',
    group: about.group ?? '',
    version: about.version ?? '',
    resource: about.resource ?? '',
    subresource: about.subresource ?? '',
    namespace: about.namespace || undefined,
    name: about.name || undefined,
    path: undefined,
    fieldSelector: fieldSelectorOf(about.fieldSelector),
  };
}

/** What is asked as requirements is said as text, as requests have it; what has no text does not narrow anything. */
function fieldSelectorOf({
  rawSelector,
  requirements = [],
}: FieldSelectorAttributes = {}): string | undefined {
  const told = requirements.flatMap(({ key, operator, values = [] }) => {
    const sign = operator === 'In' ? '=' : operator === 'NotIn' ? '!=' : undefined;
    const [value = '', ...others] = values;
    return sign && others.length === 0 ? [`${key}${sign}${value.replace(/[\\,=]/g, '\\$&')}`] : [];
  });
  return rawSelector || told.join(',') || undefined;
}

const subjectOf = ({ user = '', groups = [], uid, extra }: SubjectAccessReviewSpec): User => ({
  name: user,
  groups,
  ...(uid && { uid }),
  ...(extra && { extra }),
});

function rulesStatus({ resourceRules, nonResourceRules, incomplete }: UserRules): SubjectRulesReviewStatus {
  return {
    resourceRules: resourceRules.map(({ verbs, apiGroups, resources, resourceNames }) => ({
      verbs: [...verbs],
      apiGroups: [...apiGroups],
      resources: [...resources],
      ...(resourceNames && { resourceNames: [...resourceNames] }),
    })),
    nonResourceRules: nonResourceRules.map(({ verbs, nonResourceURLs }) => ({
      verbs: [...verbs],
      nonResourceURLs: [...nonResourceURLs],
    })),
    incomplete: incomplete !== undefined,
    ...(incomplete !== undefined && { evaluationError: incomplete }),
  };
}

function check(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group, kind, name: '' }, errors);
}

function questionErrors({ resourceAttributes, nonResourceAttributes }: Questions): FieldError[] {
  if (resourceAttributes && nonResourceAttributes) {
    const why = 'cannot be specified in combination with resourceAttributes';
    return [invalidValue('spec.nonResourceAttributes', nonResourceAttributes, why)];
  }
  if (!resourceAttributes && !nonResourceAttributes) {
    const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    return [invalidValue('spec.resourceAttributes', null, why)];
  }
  const { fieldSelector, labelSelector } = resourceAttributes ?? {};
  return [
    ...selectorErrors('spec.resourceAttributes.fieldSelector', fieldSelector),
    ...selectorErrors('spec.resourceAttributes.labelSelector', labelSelector),
  ];
}

function selectorErrors(
  path: string,
  selector: FieldSelectorAttributes | LabelSelectorAttributes | undefined,
): FieldError[] {
  if (!selector) return [];
  const { rawSelector = '', requirements = [] } = selector;
  if (rawSelector !== '' && requirements.length > 0)
    return [
      invalidValue(`${path}.rawSelector`, rawSelector, 'may not specified at the same time as requirements'),
    ];
  if (rawSelector === '' && requirements.length === 0)
    return [
      required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`),
    ];
  return [];
}

function subjectErrors(spec: SubjectAccessReviewSpec): FieldError[] {
  const hasSubject = !!spec.user || (spec.groups?.length ?? 0) > 0;
  const why = 'at least one of user or group must be specified';
  return [...questionErrors(spec), ...(hasSubject ? [] : [invalidValue('spec.user', spec.user ?? '', why)])];
}

function localErrors(review: LocalSubjectAccessReview): FieldError[] {
  const { metadata, spec } = review;
  const { namespace = '' } = metadata;
  const asked = spec.resourceAttributes?.namespace ?? '';
  const path = 'spec.resourceAttributes.namespace';
  return [
    ...subjectErrors(spec),
    ...metadataErrors(
      { metadata: { ...metadata, namespace: undefined } },
      'must be empty except for namespace',
    ),
    ...(spec.resourceAttributes && asked !== namespace
      ? [invalidValue(path, asked, 'must match metadata.namespace')]
      : []),
    ...(spec.nonResourceAttributes
      ? [forbiddenField('spec.nonResourceAttributes', 'disallowed on this kind of request')]
      : []),
  ];
}

/** A review is no object: it has no name, no labels. Clients in Go send an empty creationTimestamp. */
function metadataErrors({ metadata }: Pick<KubeObject, 'metadata'>, why = 'must be empty'): FieldError[] {
  const { managedFields: _managed, ...rest } = metadata;
  const isEmpty = Object.values(rest).every((value) => value === undefined || value === null || value === '');
  return isEmpty ? [] : [invalidValue('metadata', rest, why)];
}
