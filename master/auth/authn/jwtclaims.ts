/**
 * The user that the claims of an outside issuer's token make. Pure. Called by `jwttokens.ts` with claims whose signature,
 * issuer, audience and time have been checked.
 */
import type { Program } from '../../../src/api/cel/program.js';
import type { User } from '../../registry/registry.js';
import type { JwtIssuer, Mapping, Rule } from './jwtconfig.js';

/** Why the claims make no user; its message holds no values of them. */
export class ClaimsRefused extends Error {
  override readonly name = 'ClaimsRefused';
}

type Claims = Readonly<Record<string, unknown>>;

const credentialId = 'authentication.kubernetes.io/credential-id';

/** Throws `ClaimsRefused`. */
export function userOfJwt(claims: Claims, issuer: JwtIssuer): User {
  for (const [claim, value] of Object.entries(issuer.requiredClaims))
    if (claims[claim] !== value) throw new ClaimsRefused(`required claim ${claim} is missing or another one`);
  check(issuer.claimRules, { claims });
  const name = username(claims, issuer.username);
  const groups = issuer.groups ? texts('groups', claims, issuer.groups) : [];
  const [uid] = issuer.uid ? texts('uid', claims, issuer.uid) : [];
  const extra = extraOf(claims, issuer);
  const user: User = { name, groups, ...(uid && { uid }), ...(Object.keys(extra).length > 0 && { extra }) };
  if (issuer.userRules.length > 0)
    check(issuer.userRules, { user: { username: name, groups, uid: uid ?? '', extra } });
  return user;
}

function username(claims: Claims, mapping: Mapping): string {
  if ('claim' in mapping && mapping.claim === 'email' && Object.hasOwn(claims, 'email_verified'))
    if (claims['email_verified'] !== true) throw new ClaimsRefused('email not verified');
  const value = mapped('username', claims, mapping);
  if (typeof value !== 'string' || value === '') throw new ClaimsRefused('the username is no text, or empty');
  return prefixOf(mapping) + value;
}

const prefixOf = (mapping: Mapping): string => ('claim' in mapping ? mapping.prefix : '');

function mapped(what: string, claims: Claims, mapping: Mapping): unknown {
  if ('program' in mapping) return evaluate(what, mapping.program, { claims });
  return Object.hasOwn(claims, mapping.claim) ? claims[mapping.claim] : undefined;
}

/** A text or a list of texts; none for what is absent or empty. */
const texts = (what: string, claims: Claims, mapping: Mapping): string[] =>
  textsOf(what, mapped(what, claims, mapping)).map((text) => prefixOf(mapping) + text);

function textsOf(what: string, value: unknown): string[] {
  const all = value === null || value === undefined ? [] : Array.isArray(value) ? value : [value];
  if (!all.every((one): one is string => typeof one === 'string'))
    throw new ClaimsRefused(`${what}: must be a text or a list of texts`);
  return all.filter((one) => one !== '');
}

function extraOf(claims: Claims, { extra }: JwtIssuer): Record<string, string[]> {
  const id = claims['jti'];
  const further = extra.flatMap(({ key, value }) => {
    const values = textsOf(`extra ${key}`, evaluate(`extra ${key}`, value, { claims }));
    return values.length > 0 ? [[key, values] as const] : [];
  });
  const own = typeof id === 'string' && id !== '' ? [[credentialId, [`JTI=${id}`]] as const] : [];
  return Object.fromEntries([...own, ...further]);
}

function check(rules: readonly Rule[], variables: Readonly<Record<string, unknown>>): void {
  for (const { program, message } of rules)
    if (evaluate('validation', program, variables) !== true) throw new ClaimsRefused(message);
}

function evaluate(what: string, program: Program, variables: Readonly<Record<string, unknown>>): unknown {
  try {
    return program.evaluate(variables);
  } catch (error) {
    throw new ClaimsRefused(`${what}: the expression cannot be evaluated`, { cause: error });
  }
}
