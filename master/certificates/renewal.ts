/**
 * Looks at the master's certificates every minute (more often when they live for less than twenty): what nears its end is
 * issued anew, a new address of the host gets into the certificate of the server. Nothing restarts and no connection breaks.
 * Started by the composition root.
 */
import type { Clock } from '../../src/host/clock.js';
import { type Component, healthyNow } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { LivePki } from './live.js';

const lookEveryMs = 60_000;
/** Looks in one life of a certificate, at least. */
const looksPerLife = 20;

export interface RenewalOptions {
  certificates: LivePki;
  clock: Clock;
  log: Logger;
  /** Told after every look: what it failed with, if it did. */
  onLook?(error: unknown): void;
}

export interface Renewal extends Component {
  /** Looks now; resolves when that is done. */
  look(): Promise<void>;
}

export function createRenewal({ certificates, clock, log, onLook }: RenewalOptions): Renewal {
  const everyMs = Math.min(lookEveryMs, certificates.lifetimeMs / looksPerLife);
  let cancel = (): void => undefined;
  let isStopped = false;
  let looking: Promise<void> = Promise.resolve();

  async function lookOnce(): Promise<void> {
    try {
      await certificates.look();
      onLook?.(undefined);
    } catch (err) {
      log.error({ err }, 'cannot renew certificates, will try again');
      onLook?.(err);
    }
  }

  function look(): Promise<void> {
    looking = looking.then(lookOnce);
    return looking;
  }

  function plan(): void {
    if (isStopped) return;
    cancel = clock.after(everyMs, () => void look().then(plan));
  }

  return {
    name: 'renewal',
    start: async () => plan(),
    async stop() {
      isStopped = true;
      cancel();
      await looking;
    },
    healthy: () => healthyNow,
    look,
  };
}
