/**
 * 8. Images of a CRI runtime: look, pull, list, remove. Used by cri.ts.
 *
 * A pull tells no progress and has no deadline of its own; while it lasts the runtime is asked once a minute whether it
 * still answers. The image of the sandboxes, and others that the runtime pins, are not listed: nobody may remove them.
 */
import { createStop } from '../../../src/client/wait.js';
import type { Clock } from '../../../src/host/clock.js';
import { type ImageState, type PullAuth, RuntimeError } from '../runtime.js';
import { type CriClient, deadlines } from './client.js';
import { unlessMissing } from './errors.js';
import type { Image } from './generated/protocol.js';

/** A day: the longest pull that anybody waits for. */
const pullMs = 24 * 3_600_000;
const aliveMs = 60_000;

export class CriImages {
  readonly #client: CriClient;
  readonly #clock: Clock;
  readonly #hidden = new Set<string>();

  constructor(client: CriClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Leaves the image of this name out of lists: before 1.7 containerd does not tell which it pins. */
  hide(name: string): void {
    this.#hidden.add(name);
  }

  async inspect(reference: string): Promise<ImageState | undefined> {
    const request = { image: { image: reference } };
    const found = await unlessMissing(this.#client.call('imageStatus', request, deadlines.quick));
    const image = found?.image;
    return image ? { ...stateOf(image), user: userOf(image) } : undefined;
  }

  async list(): Promise<ImageState[]> {
    const { images } = await this.#client.call('listImages', {}, deadlines.quick);
    const isHidden = ({ pinned, repoTags }: Image): boolean =>
      pinned || repoTags.some((name) => this.#hidden.has(name));
    return images.filter((image) => !isHidden(image)).map(stateOf);
  }

  async remove(id: string): Promise<void> {
    await unlessMissing(this.#client.call('removeImage', { image: { image: id } }, deadlines.slow));
  }

  async pull(reference: string, auth: PullAuth | undefined, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const away = createStop();
    const release = away.follow(signal);
    const finished = new AbortController();
    const watching = this.#watch(finished.signal, away);
    try {
      const image = { image: reference };
      // Without the server's address: containerd drops credentials whose address it cannot parse as a URL.
      const login = auth && { username: auth.username, password: auth.password };
      await this.#client.call('pullImage', { image, ...(login && { auth: login }) }, pullMs, away.signal);
    } finally {
      release();
      finished.abort();
      await watching;
    }
    const found = await this.inspect(reference);
    if (!found) throw new RuntimeError('failed', `${reference} was pulled and is not there`);
    return found.id;
  }

  async #watch(finished: AbortSignal, away: AbortController): Promise<void> {
    while (!finished.aborted) {
      const isOver = await this.#clock.sleep(aliveMs, finished).then(
        () => false,
        () => true,
      );
      if (isOver) return;
      await this.#client.call('version', {}, deadlines.quick).catch((error: unknown) => away.abort(error));
    }
  }
}

/** The group of `USER` is not told: without one it is the user's own. */
const userOf = ({ uid, username }: Image): string => (uid ? String(uid.value) : username);

const stateOf = (image: Image): ImageState => ({
  id: image.id,
  repoTags: image.repoTags,
  repoDigests: image.repoDigests,
  sizeBytes: image.size,
});
