/**
 * Bounds how many calls to the runtime are under way at a time. In a burst of pods more of them only make the daemon
 * slower for everyone, so what has begun goes first: the higher priority, then the order of asking. Calls that wait
 * for a container to end must not go through it.
 */
export interface Gate {
  /** Calls wait for their turn. */
  isCrowded(): boolean;
  run<T>(priority: number, call: () => Promise<T>): Promise<T>;
}

/** The nearer a pod is to running, the more urgent; what nothing runs in any more can wait for what still runs. */
export const priorities = {
  tidy: -1,
  remove: 0,
  createSandbox: 1,
  createContainer: 2,
  startSandbox: 3,
  startContainer: 4,
} as const;

const defaultLimit = 8;

export function createGate(limit = defaultLimit): Gate {
  const waiting: { priority: number; go: () => void }[] = [];
  let free = limit;

  function next(): (() => void) | undefined {
    const best = Math.max(...waiting.map(({ priority }) => priority));
    const at = waiting.findIndex(({ priority }) => priority === best);
    return at < 0 ? undefined : waiting.splice(at, 1)[0]?.go;
  }

  return {
    isCrowded: () => waiting.length > 0,
    async run(priority, call) {
      if (free > 0) free -= 1;
      else await new Promise<void>((go) => waiting.push({ priority, go }));
      try {
        return await call();
      } finally {
        const go = next();
        if (go) go();
        else free += 1;
      }
    },
  };
}
