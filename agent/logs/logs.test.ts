/** What `kubectl logs` asks for is what it gets: parameters, and the selection of lines. */
import t from 'tap';
import { createFakeClock } from '../../src/testing/clock.js';
import { FakeRuntime } from '../runtime/fake.js';
import { type ContainerState, type LogLine, type LogOptions, RuntimeError } from '../runtime/runtime.js';
import { followLog } from './follow.js';
import { parseLogSelection } from './options.js';
import { readLog, selectLines } from './select.js';

const now = new Date('2026-03-01T12:00:00Z');
const parse = (query: string): ReturnType<typeof parseLogSelection> =>
  parseLogSelection(new URLSearchParams(query), now);

t.test('parameters', async (t) => {
  t.strictSame(parse(''), { follow: false, timestamps: false, previous: false });
  t.strictSame(parse('follow=true&timestamps=1&previous=false&tailLines=0&sinceSeconds=60&limitBytes=9'), {
    follow: true,
    timestamps: true,
    previous: false,
    tailLines: 0,
    since: new Date('2026-03-01T11:59:00Z'),
    limitBytes: 9,
  });
  t.strictSame(parse('sinceTime=2026-03-01T13:00:00%2B02:00').since, new Date('2026-03-01T11:00:00Z'));
});

t.test('wrong parameters name themselves', async (t) => {
  t.throws(() => parse('tailLines=x'), { code: 400 });
  t.throws(() => parse('sinceTime=yesterday'), { code: 400 });
  t.throws(() => parse('tailLines=-1&limitBytes=0'), {
    code: 422,
    details: { causes: [{ field: 'tailLines' }, { field: 'limitBytes' }] },
  });
  t.throws(() => parse('sinceSeconds=1&sinceTime=2026-03-01T13:00:00Z'), { code: 422 });
});

const line = (text: string, extra: Partial<LogLine> = {}): LogLine => ({
  stream: 'stdout',
  time: '2026-03-01T12:00:00.000000001Z',
  text: Buffer.from(text),
  ...extra,
});

async function* from(lines: readonly LogLine[]): AsyncGenerator<LogLine, void, undefined> {
  yield* lines;
}

async function text(lines: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of lines) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const select = (
  lines: readonly LogLine[],
  selection: Partial<Parameters<typeof selectLines>[1]>,
): Promise<string> => text(selectLines(from(lines), { timestamps: false, ...selection }));

t.test('parts of a long line become one line with one time', async (t) => {
  const lines = [
    line('long ', { partial: true }),
    line('other', { stream: 'stderr' }),
    line('line'),
    line('next'),
  ];
  t.equal(await select(lines, {}), 'long other\nline\nnext\n');
  const time = lines[0]?.time;
  t.equal(await select(lines, { timestamps: true }), `${time} long ${time} other\nline\n${time} next\n`);
});

t.test('the limit cuts within a line; since leaves out what is older', async (t) => {
  const lines = [line('old', { time: '2026-03-01T11:00:00.5Z' }), line('12345'), line('67890')];
  t.equal(await select(lines, { since: new Date('2026-03-01T12:00:00Z') }), '12345\n67890\n');
  t.equal(await select(lines, { limitBytes: 7 }), 'old\n123');
  t.equal(await select(lines, { limitBytes: 4 }), 'old\n');
});

t.test('reaching the limit ends a follow', async (t) => {
  let ended = false;
  const runtime = new FakeRuntime();
  runtime.logs = async function* () {
    try {
      yield line('one');
      await new Promise(() => undefined);
    } finally {
      ended = true;
    }
  };
  const selection = { ...parse('follow=1'), limitBytes: 3 };
  t.equal(
    await text(
      readLog(runtime, { id: 'x', selection, clock: createFakeClock() }, new AbortController().signal),
    ),
    'one',
  );
  t.ok(ended);
});

t.test('a follow that is cut goes on behind the last line, until the container has ended', async (t) => {
  const at = (second: number, stream: LogLine['stream'], words: string): LogLine => ({
    stream,
    time: `2026-03-01T12:00:0${second}.000000001Z`,
    text: Buffer.from(words),
  });
  const log = [
    at(1, 'stdout', 'a'),
    at(2, 'stdout', 'b'),
    at(1, 'stderr', 'x'),
    at(2, 'stdout', 'c'),
    at(3, 'stdout', 'd'),
    at(2, 'stderr', 'y'),
  ];
  /** How many lines are there at each opening, from the start. */
  const openings = [3, 3, 5, 6, 6];
  const asked: Omit<LogOptions, 'signal'>[] = [];
  const clock = createFakeClock('2026-03-02T00:00:00Z');
  const source = {
    async *logs(_id: string, { signal: _, ...options }: LogOptions) {
      const upTo = openings[asked.length] ?? 0;
      asked.push(options);
      for (const entry of log.slice(0, upTo))
        if (!options.since || Date.parse(entry.time) >= options.since.getTime()) yield entry;
    },
    inspectContainer: async () =>
      ({ state: asked.length < openings.length - 1 ? 'running' : 'exited' }) as ContainerState,
  };
  const options = { follow: true, timestamps: false, tailLines: 100, signal: new AbortController().signal };
  const reading = (async () => {
    const words: string[] = [];
    for await (const { text } of followLog(source, 'x', options, clock)) words.push(text.toString());
    return words.join('');
  })();
  while (clock.pending === 0) await new Promise(setImmediate);
  await clock.advance(1000);
  t.equal(await reading, 'abxcdy', 'none twice, none left out');
  t.equal(asked.length, 5);
  t.strictSame(asked[1], { follow: true, timestamps: false, since: new Date('2026-03-01T12:00:01Z') });

  const gone = {
    ...source,
    async *logs(_id: string, { since }: LogOptions) {
      if (since) throw new RuntimeError('notFound', 'gone');
      yield at(1, 'stdout', 'a');
    },
  };
  for await (const { text } of followLog(gone, 'x', options, clock)) t.equal(text.toString(), 'a');
});

t.test(
  'lines that come once more after a rotation are left out, unless the clock was set back',
  async (t) => {
    const at = (second: number, words = String(second)): LogLine => ({
      stream: 'stdout',
      time: `2026-03-01T12:00:0${second}Z`,
      text: Buffer.from(words),
    });
    const again = [at(2), at(3), at(3, 'more'), at(3, 'last')];
    const source = {
      async *logs(_id: string, { since }: LogOptions) {
        if (!since) yield* [at(1), at(2), at(3), at(3, 'more'), ...again, at(4), at(4)];
      },
      inspectContainer: async () => undefined,
    };
    const follow = async (now: string): Promise<string> => {
      const words: string[] = [];
      const options = { follow: true, timestamps: false, signal: new AbortController().signal };
      for await (const { text } of followLog(source, 'x', options, createFakeClock(now)))
        words.push(text.toString());
      return words.join(' ');
    };
    t.equal(await follow('2026-03-01T12:00:05Z'), '1 2 3 more last 4');
    t.equal(await follow('2026-03-01T12:00:02.5Z'), '1 2 3 more 2 3 more last 4');
  },
);
