/**
 * The flags of `wherry master` that say who is known, named as kube-apiserver names them. Part of the table in
 * `masterflags.ts`; what their values mean is checked by `master/auth/authn/options.ts`.
 */
import { type Flag, group } from './flag.js';

export const authenticationFlags: readonly Flag[] = [
  ...group('Authentication', [
    {
      name: 'anonymous-auth',
      value: 'bool',
      description: 'whether health and version are answered without credentials (true)',
    },
    {
      name: 'service-account-issuer',
      value: 'url',
      description:
        'issuer of service account tokens; the first signs, all are taken (https://kubernetes.default.svc.cluster.local)',
      repeatable: true,
    },
    {
      name: 'api-audiences',
      value: 'list',
      description: 'audiences of tokens for this API server (the issuers)',
      repeatable: true,
    },
    {
      name: 'service-account-signing-key-file',
      value: 'file',
      description:
        'private key (PEM, RSA or EC) that signs service account tokens (<data-dir>/master/pki/sa.key)',
    },
    {
      name: 'service-account-key-file',
      value: 'file',
      description: 'more keys (PEM, public or private) that such tokens are verified with',
      repeatable: true,
    },
    {
      name: 'service-account-jwks-uri',
      value: 'url',
      description:
        "where others find the public keys, in the discovery document (this server's /openid/v1/jwks)",
    },
    {
      name: 'service-account-max-token-expiration',
      value: 'duration',
      description: 'no requested token is good for longer (no limit)',
    },
    {
      name: 'service-account-extend-token-expiration',
      value: 'bool',
      description: "pods' tokens live on for a year for programs that read theirs once (true)",
    },
    {
      name: 'oidc-issuer-url',
      value: 'url',
      description: 'an outside OpenID Connect issuer of tokens for users',
    },
    { name: 'oidc-client-id', value: 'id', description: 'the audience that its tokens must name' },
    { name: 'oidc-username-claim', value: 'claim', description: "claim that holds the user's name (sub)" },
    {
      name: 'oidc-username-prefix',
      value: 'text',
      description: 'put before names; "-" for none (the issuer and "#", but for email)',
    },
    { name: 'oidc-groups-claim', value: 'claim', description: "claim that holds the user's groups" },
    { name: 'oidc-groups-prefix', value: 'text', description: 'put before groups' },
    {
      name: 'oidc-required-claim',
      value: 'claim=value',
      description: 'what a token must claim besides',
      repeatable: true,
    },
    {
      name: 'oidc-ca-file',
      value: 'file',
      description: "who signs the issuer's certificate (the host's authorities)",
    },
    {
      name: 'oidc-signing-algs',
      value: 'list',
      description: 'algorithms that its tokens may be signed with (RS256)',
      repeatable: true,
    },
    {
      name: 'authentication-config',
      value: 'file',
      description: 'a file of kind AuthenticationConfiguration: outside issuers and anonymous access',
    },
    {
      name: 'authentication-token-webhook-config-file',
      value: 'file',
      description: 'a kubeconfig that names the server to ask about tokens nobody else knows',
    },
    {
      name: 'authentication-token-webhook-cache-ttl',
      value: 'duration',
      description: 'how long its answers are kept (2m)',
    },
    {
      name: 'authentication-token-webhook-version',
      value: 'version',
      description: 'of the TokenReview it is sent: v1 or v1beta1 (v1)',
    },
  ]),
  ...group('Front proxies', [
    {
      name: 'requestheader-client-ca-file',
      value: 'file',
      description: "who signs the certificates of front proxies (the master's own authority for that)",
    },
    {
      name: 'requestheader-allowed-names',
      value: 'list',
      description: 'common names of their certificates (front-proxy-client)',
      repeatable: true,
    },
    {
      name: 'requestheader-username-headers',
      value: 'list',
      description: 'headers that name the user (X-Remote-User)',
      repeatable: true,
    },
    {
      name: 'requestheader-uid-headers',
      value: 'list',
      description: "headers with the user's uid (X-Remote-Uid)",
      repeatable: true,
    },
    {
      name: 'requestheader-group-headers',
      value: 'list',
      description: "headers with the user's groups (X-Remote-Group)",
      repeatable: true,
    },
    {
      name: 'requestheader-extra-headers-prefix',
      value: 'list',
      description: 'beginnings of headers with more about the user (X-Remote-Extra-)',
      repeatable: true,
    },
  ]),
];
