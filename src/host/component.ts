/**
 * Contract: anything long-lived that a composition root starts and stops.
 *
 * Constructors do no I/O; `start` returns when the component serves; `stop` drains and returns when nothing of it
 * runs any more. Both may be called once; `stop` also works on a component that never started.
 */

export interface Health {
  ok: boolean;
  /** Why not, for a human; empty when ok. */
  reason: string;
}

export interface Component {
  readonly name: string;
  /** `signal` aborts a start that takes too long and everything the component runs in the background. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  healthy(): Health;
}

export const healthyNow: Health = { ok: true, reason: '' };

/** Starts in order; when one fails, stops those that run, in reverse, and rethrows. */
export async function startAll(components: readonly Component[], signal: AbortSignal): Promise<void> {
  const started: Component[] = [];
  try {
    for (const component of components) {
      await component.start(signal);
      started.push(component);
    }
  } catch (error) {
    await stopAll(started);
    throw error;
  }
}

/** Stops in reverse order; every component gets its turn, the first error is rethrown at the end. */
export async function stopAll(components: readonly Component[]): Promise<void> {
  const errors: unknown[] = [];
  for (const component of components.toReversed()) {
    try {
      await component.stop();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'a component did not stop cleanly');
}

/** As healthy as the first of them that is not. */
export const healthOf = (components: readonly Component[]): Health =>
  components.map((component) => component.healthy()).find((health) => !health.ok) ?? healthyNow;
