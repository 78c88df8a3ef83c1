/**
 * The text a new host joins with: `wherry.<SHA-256 of the CA certificate in hex>.<id>.<secret>`. Pure.
 *
 * The hash lets the host recognise the master before it says anything secret; `<id>.<secret>` is a Kubernetes bootstrap
 * token and is what goes over the wire. Made by `wherry token create`, read by the agent.
 */
export interface JoinToken {
  caHash: string;
  /** Public part: 6 of [a-z0-9]. */
  id: string;
  /** 16 of [a-z0-9]. */
  secret: string;
}

export const formatJoinToken = ({ caHash, id, secret }: JoinToken): string =>
  `wherry.${caHash}.${id}.${secret}`;

/** Throws without quoting the text: it holds a secret. */
export function parseJoinToken(text: string): JoinToken {
  const match = /^wherry\.([0-9a-f]{64})\.([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(text.trim());
  const [, caHash, id, secret] = match ?? [];
  if (!caHash || !id || !secret) {
    throw new Error('the join token must look like wherry.<64 hex digits>.<6 characters>.<16 characters>');
  }
  return { caHash, id, secret };
}

/** What the API server takes as bearer token. */
export const bearerOf = ({ id, secret }: JoinToken): string => `${id}.${secret}`;

/**
 * The server name by which a joining host asks for a chain with the authority that its token pins: while one authority
 * follows another, the server shows different ones. Not secret; a server that does not know it shows what it always shows.
 */
export const authorityServerName = (caHash: string): string =>
  `${caHash.slice(0, 32)}.authority.wherry.invalid`;
