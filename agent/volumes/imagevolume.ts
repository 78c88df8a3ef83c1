/**
 * `image` volumes: the files of an image, shown by the runtimes that can. The image is made present as its pull policy
 * and the pod's pull secrets say, in the background: a pod does not wait for it in its worker.
 */
import type { ImageVolumeSource } from '../../src/api/types.js';
import { settlesWithin } from '../../src/client/wait.js';
import type { Clock } from '../../src/host/clock.js';
import { podUid } from '../pods/names.js';
import type { ImageResult, PodImages } from '../pods/needs.js';
import type { RuntimeFeatures } from '../runtime/runtime.js';
import type { Plug, PlugRequest } from './placement.js';

export interface ImageVolumeOptions {
  images: PodImages;
  features(): Promise<RuntimeFeatures>;
  clock: Clock;
  /** The pull came to its end: the pod may be tried again. */
  onPulled(podUid: string): void;
}

interface Pull {
  done: Promise<void>;
  result: ImageResult | undefined;
  /** Somebody gave up waiting and has to be told. */
  isAwaited: boolean;
}

/** An image that is present answers much faster than this; a pull takes longer. */
const patienceMs = 1000;

export function createImageVolumes(options: ImageVolumeOptions): {
  plug: Plug<ImageVolumeSource>;
  release(podUid: string): void;
} {
  const pulls = new Map<string, { stop: AbortController; byVolume: Map<string, Pull> }>();

  function pullOf({ reference = '', pullPolicy }: ImageVolumeSource, { pod, name }: PlugRequest): Pull {
    const uid = podUid(pod);
    const ofPod = pulls.get(uid) ?? { stop: new AbortController(), byVolume: new Map<string, Pull>() };
    pulls.set(uid, ofPod);
    const known = ofPod.byVolume.get(name);
    if (known) return known;
    const pull: Pull = { done: Promise.resolve(), result: undefined, isAwaited: false };
    const asked = { name, image: reference, ...(pullPolicy && { imagePullPolicy: pullPolicy }) };
    const settle = (result: ImageResult): void => {
      pull.result = result;
      if (pull.isAwaited && pulls.get(uid) === ofPod) options.onPulled(uid);
    };
    const failed = (error: unknown): ImageResult => ({
      result: 'failed',
      reason: 'ErrImagePull',
      message: String(error),
      retryAfterMs: undefined,
    });
    pull.done = options.images.ensure(pod, asked, ofPod.stop.signal).catch(failed).then(settle);
    ofPod.byVolume.set(name, pull);
    return pull;
  }

  return {
    async plug(source, request) {
      if (!(await options.features()).imageVolumes)
        throw new Error('volume type image is not supported by the container runtime of this node');
      const pull = pullOf(source, request);
      await settlesWithin(pull.done, patienceMs, options.clock, request.signal);
      const { result } = pull;
      if (!result) {
        pull.isAwaited = true;
        throw new Error(`image "${source.reference}" is being pulled`);
      }
      if (result.result === 'failed') {
        // Asked again, the image manager knows whether it is time.
        pulls.get(podUid(request.pod))?.byVolume.delete(request.name);
        throw new Error(`${result.reason}: ${result.message}`);
      }
      return { hostPath: '', readOnly: true, image: result.imageId };
    },
    release(uid) {
      pulls.get(uid)?.stop.abort(new Error('the pod is gone'));
      pulls.delete(uid);
    },
  };
}
