/**
 * Makes the image of a container present, as its pull policy, the pull secrets and the back-off say. Called by
 * `agent/pods` before it creates a container.
 *
 * Reasons, messages and event texts are those of kubelet. A pull that many want is done once. A pull that failed is tried again after 10 s, doubling up to
 * 300 s, per pod and image. Rejects only when the runtime is unavailable or `signal` aborts; neither counts as failure.
 */
import type { Container, Pod } from '../../src/api/types.js';
import { backoffMs } from '../../src/client/backoff.js';
import type { Clock } from '../../src/host/clock.js';
import { type ImageState, type Runtime, RuntimeError } from '../runtime/runtime.js';
import type { Keyring } from './keyring.js';
import { SharedPulls } from './pulls.js';
import {
  defaultPullPolicy,
  formatImageReference,
  type ImageReference,
  parseImageReference,
} from './reference.js';

export type ImageFailure =
  | 'ErrImagePull'
  | 'ImagePullBackOff'
  | 'RegistryUnavailable'
  | 'SignatureValidationFailed'
  | 'ErrImageNeverPull'
  | 'InvalidImageName'
  | 'ImageInspectError';

export type ImageResult =
  | { result: 'present'; imageId: string; message: string; user: string }
  /** `retryAfterMs`: when to ask again; `undefined`: not before the pod changes. */
  | { result: 'failed'; reason: ImageFailure; message: string; retryAfterMs: number | undefined };

export interface ImageManagerOptions {
  runtime: Pick<Runtime, 'inspectImage' | 'pullImage'>;
  clock: Clock;
  /** The logins that fit an image. */
  keyring: Keyring;
  /** Records an event about one container of the pod. */
  record(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, container: string): void;
  /** Pulls at a time, 1 for one after the other; no bound when absent. */
  maxParallelPulls?: number | undefined;
}

export interface ImageManager {
  ensure(pod: Pod, container: Container, signal: AbortSignal): Promise<ImageResult>;
  /** Forgets the back-offs of a pod that is gone. */
  forget(podUid: string): void;
}

/** kubelet's image back-off (MaxContainerBackOff). */
const backoffPolicy = { minMs: 10_000, maxMs: 300_000 };

interface Failing {
  failures: number;
  /** Monotonic milliseconds; no pull before. */
  until: number;
  reason: ImageFailure;
  message: string;
}

export function createImageManager(options: ImageManagerOptions): ImageManager {
  const { runtime, clock, keyring } = options;
  const pulls = new SharedPulls({
    pull: (...args) => runtime.pullImage(...args),
    maxParallel: options.maxParallelPulls,
    clock,
  });
  /** By pod uid, then image. */
  const failing = new Map<string, Map<string, Failing>>();
  /** Questions under way by image, shared by the pods of a burst. */
  const looking = new Map<string, Promise<ImageState | undefined>>();

  async function ensure(pod: Pod, container: Container, signal: AbortSignal): Promise<ImageResult> {
    const result = await attempt(pod, container, signal);
    if (result.result === 'failed') {
      options.record(pod, 'Warning', 'Failed', `Error: ${result.reason}`, container.name);
    }
    return result;
  }

  async function attempt(pod: Pod, container: Container, signal: AbortSignal): Promise<ImageResult> {
    const image = container.image ?? '';
    const record = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
      options.record(pod, type, reason, message, container.name);
    const fail = (reason: ImageFailure, message: string, eventReason: string = reason): ImageResult => {
      record('Warning', eventReason, message);
      return { result: 'failed', reason, message, retryAfterMs: undefined };
    };

    const reference = parseImageReference(image);
    if (!reference) {
      const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`;
      return fail('InvalidImageName', message, 'InspectFailed');
    }
    const policy = container.imagePullPolicy ?? defaultPullPolicy(reference);
    const known = await inspect(image);
    if ('error' in known) {
      return {
        ...fail('ImageInspectError', `Failed to inspect image "${image}": ${known.error}`, 'InspectFailed'),
        ...retrySoon,
      };
    }
    if (known.state && policy !== 'Always') {
      const message = `Container image "${image}" already present on machine`;
      record('Normal', 'Pulled', message);
      return present(known.state, message);
    }
    if (policy === 'Never') {
      return {
        ...fail('ErrImageNeverPull', `Container image "${image}" is not present with pull policy of Never`),
        ...retrySoon,
      };
    }
    return pull({ pod, image, reference, record }, signal);
  }

  async function inspect(image: string): Promise<{ state: ImageState | undefined } | { error: string }> {
    try {
      const look =
        looking.get(image) ?? runtime.inspectImage(image).finally(() => void looking.delete(image));
      looking.set(image, look);
      return { state: await look };
    } catch (error) {
      return { error: messageOf(error) };
    }
  }

  interface Attempt {
    pod: Pod;
    image: string;
    reference: ImageReference;
    record: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
  }

  async function pull({ pod, image, reference, record }: Attempt, signal: AbortSignal): Promise<ImageResult> {
    const uid = pod.metadata.uid ?? '';
    const before = failing.get(uid)?.get(image);
    const now = clock.monotonicMs();
    if (before && before.until > now) {
      const message = `Back-off pulling image "${image}"`;
      record('Normal', 'BackOff', message);
      const detail = `${message}: ${before.reason}: ${before.message}`;
      return {
        result: 'failed',
        reason: 'ImagePullBackOff',
        message: detail,
        retryAfterMs: before.until - now,
      };
    }
    record('Normal', 'Pulling', `Pulling image "${image}"`);
    try {
      const pullMs = await tryLogins(pod, image, reference, signal);
      const state = await runtime.inspectImage(image);
      if (!state) throw new RuntimeError('failed', `image "${image}" was pulled and is not there`);
      failing.get(uid)?.delete(image);
      const waited = formatSeconds(clock.monotonicMs() - now);
      const message = `Successfully pulled image "${image}" in ${formatSeconds(pullMs)} (${waited} including waiting). Image size: ${state.sizeBytes} bytes.`;
      record('Normal', 'Pulled', message);
      return present(state, message);
    } catch (error) {
      signal.throwIfAborted();
      const { reason, message } = pullFailure(image, messageOf(error));
      record('Warning', 'Failed', `Failed to pull image "${image}": ${message}`);
      const failures = (before?.failures ?? 0) + 1;
      const delayMs = backoffMs(failures, backoffPolicy);
      const ofPod = failing.get(uid) ?? new Map<string, Failing>();
      failing.set(uid, ofPod.set(image, { failures, until: clock.monotonicMs() + delayMs, reason, message }));
      // Asked again soon, the answer is ImagePullBackOff: that is how the pod's status gets there.
      return { result: 'failed', reason, message, retryAfterMs: 2000 };
    }
  }

  /** Every login that fits until one is let in; none at all when there is none. How long the pull took, in ms. */
  async function tryLogins(
    pod: Pod,
    image: string,
    reference: ImageReference,
    signal: AbortSignal,
  ): Promise<number> {
    const logins = await keyring.find(pod, reference, signal);
    const key = formatImageReference(reference);
    const errors = new Set<string>();
    for (const auth of logins.length > 0 ? logins : [undefined]) {
      try {
        return await pulls.pull(key, { reference: image, auth }, signal);
      } catch (error) {
        signal.throwIfAborted();
        errors.add(messageOf(error));
      }
    }
    const all = [...errors].join(', ');
    throw new RuntimeError('failed', errors.size > 1 ? `[${all}]` : all);
  }

  return { ensure, forget: (podUid) => void failing.delete(podUid) };
}

/** For what may heal without any change of the pod: an image that is loaded by hand, a runtime's hiccup. */
const retrySoon = { retryAfterMs: 10_000 };

const present = (state: ImageState, message: string): ImageResult => ({
  result: 'present',
  imageId: state.id,
  message,
  user: state.user ?? '',
});

/** A registry that is away, or an image that is not signed as the runtime wants it, has a reason of its own. */
function pullFailure(image: string, message: string): { reason: ImageFailure; message: string } {
  if (/^RegistryUnavailable|received unexpected HTTP status: 50[234]/.test(message)) {
    const text = `image pull failed for ${image} because the registry is unavailable: ${message}`;
    return { reason: 'RegistryUnavailable', message: text };
  }
  if (message.startsWith('SignatureValidationFailed')) {
    const text = `image pull failed for ${image} because the signature validation failed: ${message}`;
    return { reason: 'SignatureValidationFailed', message: text };
  }
  return { reason: 'ErrImagePull', message };
}

/** The runtime's words; what says nothing about the image but about the runtime goes up. */
function messageOf(error: unknown): string {
  if (!(error instanceof RuntimeError) || error.kind === 'unavailable') throw error;
  return error.message;
}

/** `850ms`, `1.2s`, `2m3.5s`, as Go prints durations. */
function formatSeconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = Number(((ms % 60_000) / 1000).toFixed(3));
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
