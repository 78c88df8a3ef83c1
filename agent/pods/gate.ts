/**
 * Bounds how many calls to the runtime are under way at a time. In a burst of pods more concurrency only makes the
 * daemon slower for everyone. Calls that wait for a container to end must not go through it.
 */
export interface Gate {
  run<T>(call: () => Promise<T>): Promise<T>;
}

export function createGate(limit: number): Gate {
  const waiting: (() => void)[] = [];
  let free = limit;
  return {
    async run(call) {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await call();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else free += 1;
      }
    },
  };
}
