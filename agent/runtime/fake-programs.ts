/**
 * What runs inside containers of the fake runtime: tiny programs with arguments, input, output and signals, found by
 * `argv[0]` like commands in an image. Tests add their own with `fake.programs.set(name, program)`.
 *
 * A program returns its exit code. `io.signal` aborts with the name of the stop signal as its reason; a program that
 * ignores it is killed after the grace period, as on a real runtime.
 */
import type { Clock } from '../../src/host/clock.js';

export interface ProgramIo {
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Empty when the program has no stdin. */
  stdin: AsyncIterable<Buffer>;
  write(stream: 'stdout' | 'stderr', text: string | Buffer): void | Promise<void>;
  signal: AbortSignal;
  clock: Clock;
}

export type Program = (io: ProgramIo) => number | Promise<number>;

const never = new Promise<never>(() => undefined);

const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** A well-behaved server: runs until it is asked to stop, then exits 0. */
export const serve: Program = async ({ signal }) => {
  await stopped(signal);
  return 0;
};

/** Ends only when it is killed. */
export const stubborn: Program = () => never;

export const builtinPrograms: Readonly<Record<string, Program>> = {
  true: () => 0,
  false: () => 1,
  /** `exit 3` */
  exit: ({ argv }) => Number(argv[1] ?? 0),
  echo: async ({ argv, write }) => {
    await write('stdout', `${argv.slice(1).join(' ')}\n`);
    return 0;
  },
  /** `warn words`: echo to stderr. */
  warn: async ({ argv, write }) => {
    await write('stderr', `${argv.slice(1).join(' ')}\n`);
    return 0;
  },
  env: async ({ env, write }) => {
    for (const [name, value] of Object.entries(env)) await write('stdout', `${name}=${value}\n`);
    return 0;
  },
  cat: async ({ stdin, write }) => {
    for await (const chunk of stdin) await write('stdout', chunk);
    return 0;
  },
  /** `sleep 5`: like the real one as process 1, it does not listen to SIGTERM. */
  sleep: async ({ argv, clock }) => {
    const seconds = Number(argv[1]);
    if (!Number.isFinite(seconds)) return never;
    await clock.sleep(seconds * 1000, new AbortController().signal);
    return 0;
  },
  serve,
  stubborn,
};
