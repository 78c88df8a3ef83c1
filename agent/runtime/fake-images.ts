/**
 * Images of the fake runtime: those present on the node and those a pretended registry would serve. Used by fake.ts.
 *
 * Error texts are those of Docker, which users see behind ErrImagePull.
 */
import { createHash } from 'node:crypto';
import { type ImageState, type PullAuth, RuntimeError } from './runtime.js';

export interface FakeImage {
  /** Image ENTRYPOINT; `['serve']` by default. */
  entrypoint?: readonly string[];
  /** Image CMD. */
  command?: readonly string[];
  env?: Record<string, string>;
  sizeBytes?: number;
  /** USER of the image. */
  user?: string;
}

interface Published extends FakeImage {
  auth: { username: string; password: string } | undefined;
}

/** The short id every reference to the same content gets. */
const idOf = (reference: string): string => `sha256:${createHash('sha256').update(reference).digest('hex')}`;

export class FakeImages {
  readonly #present = new Map<string, { state: ImageState; image: FakeImage }>();
  readonly #registry = new Map<string, Published>();

  /** Puts an image on the node, as after an earlier pull. Returns its id. */
  add(reference: string, image: FakeImage = {}): string {
    const id = idOf(reference);
    const old = this.#present.get(id);
    const repoTags = [...new Set([...(old?.state.repoTags ?? []), reference])];
    const state = {
      id,
      repoTags,
      repoDigests: [`${reference.split(':')[0]}@${id}`],
      sizeBytes: image.sizeBytes ?? 1000,
      user: image.user ?? '',
    };
    this.#present.set(id, { state, image });
    return id;
  }

  /** Makes an image available for pulls, with a login when `auth` is given. */
  publish(reference: string, image: FakeImage = {}, auth?: { username: string; password: string }): void {
    this.#registry.set(reference, { ...image, auth });
  }

  pull(reference: string, auth: PullAuth | undefined): string {
    const found = this.#registry.get(reference);
    const authorized =
      !found?.auth || (auth?.username === found.auth.username && auth.password === found.auth.password);
    if (!found || !authorized) {
      const name = reference.split(':')[0];
      throw new RuntimeError(
        'imageNotFound',
        `pull access denied for ${name}, repository does not exist or may require 'docker login'`,
      );
    }
    return this.add(reference, found);
  }

  find(reference: string): { state: ImageState; image: FakeImage } | undefined {
    const byId = this.#present.get(reference);
    if (byId) return byId;
    return [...this.#present.values()].find(
      ({ state }) =>
        state.repoTags.includes(reference) ||
        state.repoTags.includes(`${reference}:latest`) ||
        state.repoDigests.includes(reference),
    );
  }

  list(): ImageState[] {
    return [...this.#present.values()].map(({ state }) => state);
  }

  remove(id: string): void {
    this.#present.delete(id);
  }
}
