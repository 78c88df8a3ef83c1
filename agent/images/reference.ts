/**
 * Names of images: what they mean and whether they are names at all. Pure. Used by manager.ts and credentials.ts.
 *
 * `nginx` is short for `docker.io/library/nginx:latest`; the first part of a name is a registry only if it has a dot or
 * a port, or is `localhost`. The grammar is that of the distribution specification.
 */

export interface ImageReference {
  /** `docker.io`, `registry.example.com:5000` */
  registry: string;
  /** `library/nginx` */
  repository: string;
  /** Absent when a digest says it more exactly and no tag was given; else `latest` by default. */
  tag?: string;
  /** `sha256:` and 64 hexadecimal digits. */
  digest?: string;
}

export const defaultRegistry = 'docker.io';

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const label = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const host = `(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const pathPattern = new RegExp(`^${component}(?:/${component})*$`);
const hostPattern = new RegExp(`^${host}$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[a-f0-9]{64}$/;
const maxNameLength = 255;

/** `undefined` when the text is no image name. */
export function parseImageReference(text: string): ImageReference | undefined {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const beforeDigest = at < 0 ? text : text.slice(0, at);
  const colon = beforeDigest.indexOf(':', beforeDigest.lastIndexOf('/') + 1);
  const tag = colon < 0 ? undefined : beforeDigest.slice(colon + 1);
  const { registry, repository } = splitName(colon < 0 ? beforeDigest : beforeDigest.slice(0, colon));
  const isName =
    hostPattern.test(registry) &&
    pathPattern.test(repository) &&
    registry.length + repository.length < maxNameLength &&
    // Docker takes 64 hexadecimal digits for the id of an image.
    !/^[a-f0-9]{64}$/.test(beforeDigest);
  if (!isName) return undefined;
  if (tag !== undefined && !tagPattern.test(tag)) return undefined;
  if (digest !== undefined && !digestPattern.test(digest)) return undefined;
  const effectiveTag = tag ?? (digest === undefined ? 'latest' : undefined);
  return {
    registry,
    repository,
    ...(effectiveTag !== undefined && { tag: effectiveTag }),
    ...(digest !== undefined && { digest }),
  };
}

/** The whole name; two references mean the same image exactly if these are equal. */
export function formatImageReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}

/** Kubernetes' default: what may move is pulled always, what cannot only if missing. */
export const defaultPullPolicy = (reference: ImageReference): 'Always' | 'IfNotPresent' =>
  reference.tag === 'latest' && reference.digest === undefined ? 'Always' : 'IfNotPresent';

function splitName(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isRegistry = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  if (!isRegistry) return onDefaultRegistry(name);
  const repository = name.slice(slash + 1);
  return first === 'index.docker.io' || first === defaultRegistry
    ? onDefaultRegistry(repository)
    : { registry: first, repository };
}

const onDefaultRegistry = (path: string): { registry: string; repository: string } => ({
  registry: defaultRegistry,
  repository: path.includes('/') ? path : `library/${path}`,
});
