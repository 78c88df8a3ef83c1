/**
 * `authorizer.group('apps').resource('deployments').check('get').allowed()`: questions of expressions to whoever decides
 * about access. Pure; the answer comes from a function that the caller brings.
 */
import type { Environment } from '@marcbachmann/cel-js';
import { addAll } from './library.js';

export interface AuthorizerQuestion {
  /** A service account to ask for, in place of the user of the request. */
  serviceAccount: { namespace: string; name: string } | undefined;
  verb: string;
  /** Of a question about a path; the rest is then empty. */
  path: string | undefined;
  group: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  fieldSelector: string;
  labelSelector: string;
}

export interface AuthorizerAnswer {
  allowed: boolean;
  reason: string;
  error?: string;
}

type Ask = (question: AuthorizerQuestion) => AuthorizerAnswer | Promise<AuthorizerAnswer>;

const nothing: AuthorizerQuestion = {
  ...{ serviceAccount: undefined, verb: '', path: undefined, group: '', resource: '', subresource: '' },
  ...{ namespace: '', name: '', fieldSelector: '', labelSelector: '' },
};

/** The value of the variable `authorizer`. */
export class CelAuthorizer {
  readonly ask: Ask;
  readonly question: AuthorizerQuestion;

  constructor(ask: Ask, question: Partial<AuthorizerQuestion> = {}) {
    this.ask = ask;
    this.question = { ...nothing, ...question };
  }
}

class PathCheck extends CelAuthorizer {}
class GroupCheck extends CelAuthorizer {}
/** The value of `authorizer.requestResource`, and of `authorizer.group(...).resource(...)`. */
export class CelResourceCheck extends CelAuthorizer {}

class Decision {
  readonly answer: AuthorizerAnswer;
  constructor(answer: AuthorizerAnswer) {
    this.answer = answer;
  }
}

export function addAuthorizer(environment: Environment): void {
  const types = {
    Authorizer: CelAuthorizer,
    PathCheck,
    GroupCheck,
    ResourceCheck: CelResourceCheck,
    Decision,
  };
  const prefix = 'kubernetes.authorization.';
  for (const [name, type] of Object.entries(types))
    environment.registerType(`${prefix}${name}`, type as never);
  const [A, P, G, R, D] = Object.keys(types).map((name) => `${prefix}${name}`);
  type Part = { ask: Ask; question: AuthorizerQuestion };
  const with_ =
    (key: 'subresource' | 'namespace' | 'name' | 'fieldSelector' | 'labelSelector') =>
    ({ ask, question }: Part, value: string) =>
      new CelResourceCheck(ask, { ...question, [key]: value });
  addAll(environment, {
    [`${A}.path(string): ${P}`]: ({ ask, question }: Part, path: string) =>
      new PathCheck(ask, { ...question, path }),
    [`${A}.group(string): ${G}`]: ({ ask, question }: Part, group: string) =>
      new GroupCheck(ask, { ...question, group }),
    [`${A}.serviceAccount(string, string): ${A}`]: (
      { ask, question }: Part,
      namespace: string,
      name: string,
    ) => new CelAuthorizer(ask, { ...question, serviceAccount: { namespace, name } }),
    [`${G}.resource(string): ${R}`]: ({ ask, question }: Part, resource: string) =>
      new CelResourceCheck(ask, { ...question, resource }),
    [`${R}.subresource(string): ${R}`]: with_('subresource'),
    [`${R}.namespace(string): ${R}`]: with_('namespace'),
    [`${R}.name(string): ${R}`]: with_('name'),
    [`${R}.fieldSelector(string): ${R}`]: with_('fieldSelector'),
    [`${R}.labelSelector(string): ${R}`]: with_('labelSelector'),
    [`${D}.allowed(): bool`]: ({ answer }: Decision) => answer.allowed,
    [`${D}.reason(): string`]: ({ answer }: Decision) => answer.reason,
    [`${D}.errored(): bool`]: ({ answer }: Decision) => answer.error !== undefined,
    [`${D}.error(): string`]: ({ answer }: Decision) => answer.error ?? '',
  });
  const check = async ({ ask, question }: Part, verb: string): Promise<Decision> =>
    new Decision(await ask({ ...question, verb }));
  for (const type of [P, R])
    environment.registerFunction(`${type}.check(string): ${D}`, check as never, { async: true } as never);
}
