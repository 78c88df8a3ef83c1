/**
 * Contract: who are you, may you. The HTTP layer asks both for every request; nothing else lets anyone in.
 */
import type { User } from '../registry/registry.js';

/** What a request proves of itself. Never logged. */
export interface Credentials {
  bearerToken: string | undefined;
  /** Of the verified client certificate; absent when none was shown or its chain did not verify. */
  certificate:
    | {
        commonName: string;
        organizations: readonly string[];
        /** Of the whole certificate, in lowercase hex: tells which one it was. */
        sha256?: string;
      }
    | undefined;
}

/** Who a token speaks for, and for which of the wanted audiences it was made. */
export interface TokenIdentity {
  user: User;
  audiences: readonly string[];
}

export interface TokenAuthenticator {
  /** `undefined` when nobody knows the token or it is for none of `audiences`; this API server when none are given. */
  authenticateToken(token: string, audiences?: readonly string[]): Promise<TokenIdentity | undefined>;
}

export interface Authenticator {
  /** `undefined` when nobody known: the answer is then 401. No promise where nothing has to be looked up. */
  authenticate(credentials: Credentials): Promise<User | undefined> | User | undefined;
}

/** The attributes that Kubernetes authorizes by. */
export interface Attributes {
  user: User;
  /** get, list, watch, create, update, patch, delete, deletecollection; for other paths the HTTP verb in lowercase. */
  verb: string;
  group: string;
  version: string;
  resource: string;
  subresource: string;
  namespace: string | undefined;
  name: string | undefined;
  /** Set for paths that are no resource (`/healthz`, `/openapi/v3`). */
  path: string | undefined;
  /** Of a list or a watch, as sent: what is chosen by more than its name. */
  fieldSelector?: string | undefined;
}

/** Of a request for a path that is no resource. */
export const pathAttributes = (user: User, verb: string, path: string): Attributes => ({
  ...{ user, verb, path },
  ...{ group: '', version: '', resource: '', subresource: '', namespace: undefined, name: undefined },
});

export interface Decision {
  allowed: boolean;
  /** Somebody decided against it; else nobody allowed it, which ends the same. */
  denied?: boolean;
  reason: string;
}

/** What `kubectl auth can-i --list` prints; `*` means all. */
export interface UserRules {
  resourceRules: readonly {
    verbs: readonly string[];
    apiGroups: readonly string[];
    /** `pods`, `pods/status`. */
    resources: readonly string[];
    resourceNames?: readonly string[];
  }[];
  nonResourceRules: readonly { verbs: readonly string[]; nonResourceURLs: readonly string[] }[];
  /** Why there may be more than is listed. */
  incomplete?: string;
}

export interface RuleResolver {
  rulesFor(user: User, namespace: string): Promise<UserRules> | UserRules;
}

export interface Authorizer {
  /** No promise where nothing has to be looked up. */
  authorize(attributes: Attributes): Promise<Decision> | Decision;
}
