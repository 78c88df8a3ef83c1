/**
 * Contract: who are you, may you. The HTTP layer asks both for every request; nothing else lets anyone in.
 */
import type { User } from '../registry/registry.js';

/** What a request proves of itself. Never logged. */
export interface Credentials {
  bearerToken: string | undefined;
  /** The verified client certificate's subject; absent when none was shown or its chain did not verify. */
  certificate: { commonName: string; organizations: readonly string[] } | undefined;
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
}

export interface Decision {
  allowed: boolean;
  reason: string;
}

export interface Authorizer {
  /** No promise where nothing has to be looked up. */
  authorize(attributes: Attributes): Promise<Decision> | Decision;
}
