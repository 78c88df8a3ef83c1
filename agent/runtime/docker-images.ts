/**
 * 8. Images of Docker: look, pull, list, remove, and the import of the built-in sandbox image. Used by docker.ts.
 *
 * A pull answers 200 at once and tells its progress, and its failure, as JSON lines; one that makes no progress for a
 * minute is given up, as kubelet does.
 */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { createStop } from '../../src/client/wait.js';
import { type DockerClient, deadlines } from './docker-client.js';
import { DeadlineExceeded, toRuntimeError, unless } from './docker-errors.js';
import { type ImageState, type PullAuth, RuntimeError } from './runtime.js';
import { type Architecture, sandboxArchive, sandboxImage } from './sandbox-image.js';

/** Milliseconds without progress until a pull is given up (kubelet: imagePullProgressDeadline). */
const stalledMs = 60_000;

interface DockerImage {
  Id: string;
  RepoTags?: string[] | null | undefined;
  RepoDigests?: string[] | null | undefined;
  Size: number;
  /** Only in the answer to an inspect. */
  Config?: { User?: string } | undefined;
}

export class DockerImages {
  readonly #client: DockerClient;

  constructor(client: DockerClient) {
    this.#client = client;
  }

  async ensureSandbox(): Promise<void> {
    if (await this.inspect(sandboxImage)) return;
    const { Arch: architecture } = await this.#client.call(deadlines.quick, (_docker, abortSignal) =>
      this.#client.get<{ Arch: string }>('/version', {}, abortSignal),
    );
    if (!isArchitecture(architecture)) {
      throw new RuntimeError('invalid', `there is no sandbox program for the architecture ${architecture}`);
    }
    const [repo, tag] = sandboxImage.split(':');
    await this.#client.call(deadlines.slow, async (docker, abortSignal) => {
      const archive = Readable.from([sandboxArchive(architecture)]);
      await this.#follow(await docker.importImage(archive, { repo, tag, abortSignal }), () => undefined);
    });
  }

  async pull(reference: string, auth: PullAuth | undefined, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const docker = await this.#client.docker();
    const stalled = createStop();
    const release = stalled.follow(signal);
    const reason = new DeadlineExceeded(`pulling ${reference} makes no progress`);
    const watch = (): (() => void) => this.#client.clock.after(stalledMs, () => stalled.abort(reason));
    let cancel = watch();
    try {
      const abortSignal = stalled.signal;
      const stream = await docker.createImage(credentials(auth) ?? {}, { ...source(reference), abortSignal });
      await this.#follow(stream, () => {
        cancel();
        cancel = watch();
      });
    } catch (error) {
      signal.throwIfAborted();
      if (stalled.signal.aborted) throw new RuntimeError('failed', reason.message, { cause: error });
      throw toRuntimeError(error);
    } finally {
      cancel();
      release();
    }
    const image = await this.inspect(reference);
    if (!image) throw new RuntimeError('failed', `${reference} was pulled and is not there`);
    return image.id;
  }

  async inspect(reference: string): Promise<ImageState | undefined> {
    const info = await this.#client.call(deadlines.quick, (_docker, abortSignal) =>
      unless([404], this.#client.get<DockerImage>(`/images/${reference}/json`, {}, abortSignal)),
    );
    return info && { ...stateOf(info), user: info.Config?.User ?? '' };
  }

  async list(): Promise<ImageState[]> {
    const images = await this.#client.call(deadlines.quick, (docker, abortSignal) =>
      docker.listImages({ abortSignal }),
    );
    return images.map(stateOf);
  }

  async remove(id: string): Promise<void> {
    await this.#client.call(deadlines.slow, (docker, abortSignal) =>
      unless([404], docker.getImage(id).remove({ abortSignal })),
    );
  }

  /** Reads progress to its end; an `error` line is the failure. */
  async #follow(stream: NodeJS.ReadableStream, onProgress: () => void): Promise<void> {
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      onProgress();
      if (line.trim() === '') continue;
      const progress: { error?: string } = JSON.parse(line);
      if (progress.error === undefined) continue;
      // Worded as an HTTP answer would be, so that one place judges both.
      throw toRuntimeError(Object.assign(new Error(progress.error), { statusCode: 500 }));
    }
  }
}

const isArchitecture = (text: string): text is Architecture => text === 'amd64' || text === 'arm64';

const credentials = (auth: PullAuth | undefined): Docker.AuthConfig | undefined =>
  auth && { username: auth.username, password: auth.password, serveraddress: auth.serverAddress };

/** Docker wants name and tag apart; without a tag it would pull all of them. A digest takes the tag's place. */
function source(reference: string): { fromImage: string; tag: string } {
  const at = reference.indexOf('@');
  const name = at < 0 ? reference : reference.slice(0, at);
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  const fromImage = colon < 0 ? name : name.slice(0, colon);
  if (at >= 0) return { fromImage, tag: reference.slice(at + 1) };
  return { fromImage, tag: colon < 0 ? 'latest' : name.slice(colon + 1) };
}

const stateOf = (image: DockerImage): ImageState => ({
  id: image.Id,
  repoTags: image.RepoTags ?? [],
  repoDigests: image.RepoDigests ?? [],
  sizeBytes: image.Size,
});
