/**
 * 2. One write on its way through admission: the request, and its object in whatever version somebody wants to see it.
 *
 * Conversions are made once per version and thrown away when a mutation changes the object.
 */
import { ApiError, forbidden } from '../../src/api/errors.js';
import type { KubeObject } from '../../src/api/types.js';
import type { AdmissionRequest } from '../registry/admission.js';
import { storedRow } from '../registry/views.js';
import type { Resource } from '../resources/resource.js';
import { equivalentsOf, type Target } from './rules.js';

/** The states of the object in one version. */
export interface Versioned {
  object: KubeObject | undefined;
  oldObject: KubeObject | undefined;
}

export class Subject implements Target {
  readonly request: AdmissionRequest;
  readonly #rows: readonly Resource[];
  #equivalents: readonly Resource[] | undefined;
  #object: KubeObject | undefined;
  readonly #versions = new Map<Resource, Versioned>();

  /** `rows` are all that are served. */
  constructor(request: AdmissionRequest, rows: readonly Resource[]) {
    this.request = request;
    this.#rows = rows;
    this.#object = request.object;
  }

  get operation(): AdmissionRequest['operation'] {
    return this.request.operation;
  }

  get subresource(): string {
    return this.request.subresource;
  }

  get name(): string | undefined {
    const { name, object } = this.request;
    return name ?? object?.metadata?.name;
  }

  /** Of a Namespace it is its own name, as everywhere in requests. */
  get namespace(): string | undefined {
    return this.isNamespace ? this.name : this.request.namespace;
  }

  get isNamespace(): boolean {
    const { group, resource } = this.request.resource.type;
    return group === '' && resource === 'namespaces';
  }

  get equivalents(): readonly Resource[] {
    this.#equivalents ??= equivalentsOf(this.#rows, this.request.resource);
    return this.#equivalents;
  }

  /** The object as it is now, in the version of the request. */
  get object(): KubeObject | undefined {
    return this.#object;
  }

  async inVersion(row: Resource): Promise<Versioned> {
    const known = this.#versions.get(row);
    if (known) return known;
    const { resource, oldObject } = this.request;
    const made = {
      object: await converted(this.#object, resource, row),
      oldObject: await converted(oldObject, resource, row),
    };
    this.#versions.set(row, made);
    return made;
  }

  /** Goes on with what a mutation made of the object, in the version of `row`. */
  async replace(row: Resource, object: KubeObject): Promise<void> {
    this.#object = await converted(object, row, this.request.resource);
    this.#versions.clear();
  }

  /** 403 in the words of admission: `pods "web" is forbidden: why`. */
  forbidden(why: string): ApiError {
    const { group, resource } = this.request.resource.type;
    const { name, generateName } = this.request.object?.metadata ?? {};
    return forbidden({ group, resource, name: this.name || name || generateName || 'Unknown' }, why);
  }
}

/** What is no object of the kind itself (a Scale, a Binding) has one version only. */
async function converted(
  object: KubeObject | undefined,
  from: Resource,
  to: Resource,
): Promise<KubeObject | undefined> {
  if (!object || from === to || object.kind !== from.type.kind) return object;
  const [stored = object] = (await from.view?.toStored([object])) ?? [object];
  const [shown = stored] = (await to.view?.fromStored([stored])) ?? [stored];
  return shown;
}

/** Rejects with 504 once the client is gone. */
export function checkAborted({ request }: Subject): void {
  if (request.context.signal.aborted)
    throw new ApiError('Timeout', 'Timeout: request did not complete within requested timeout');
}

export const isStoredVersion = (row: Resource): boolean => storedRow(row) === row;
