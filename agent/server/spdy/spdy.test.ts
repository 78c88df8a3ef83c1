/** SPDY/3.1: frames known byte by byte, streams over a pair of sockets, and whatever a broken client may send. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { SpdyConnection } from './connection.js';
import { dictionary } from './dictionary.js';
import {
  type ControlFrame,
  controlFrame,
  type DataPiece,
  dataFrame,
  FrameParser,
  flag,
  frameType,
  goAwayFrame,
  pingFrame,
  rstFrame,
  SpdyError,
  synReplyFrame,
  synStreamFrame,
  windowUpdateFrame,
} from './frames.js';
import { formatHeaders, HeaderReader, HeaderWriter, parseHeaders } from './headers.js';
import { readAheadBytes, type SpdyStream } from './stream.js';
import { TestClient } from './testing.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const parse = (...chunks: Buffer[]): (ControlFrame | DataPiece)[] => {
  const parser = new FrameParser();
  return chunks.flatMap((chunk) => [...parser.push(chunk)]);
};

t.test('the dictionary is that of the protocol', async (t) => {
  t.equal(dictionary.length, 1423);
  // A zlib header that names a dictionary carries its Adler-32.
  t.equal(deflateSync('x', { dictionary }).toString('hex', 2, 6), 'e3c6a7c2');
});

t.test('frames, byte by byte', async (t) => {
  t.same(pingFrame(1), hex('80 03 00 06 00 00 00 04 00 00 00 01'));
  t.same(rstFrame(5, 3), hex('80 03 00 03 00 00 00 08 00 00 00 05 00 00 00 03'));
  t.same(goAwayFrame(7, 0), hex('80 03 00 07 00 00 00 08 00 00 00 07 00 00 00 00'));
  t.same(windowUpdateFrame(9, 65536), hex('80 03 00 09 00 00 00 08 00 00 00 09 00 01 00 00'));
  t.same(dataFrame(3, Buffer.from('hi'), true), hex('00 00 00 03 01 00 00 02 68 69'));
  const reply = synReplyFrame(1, new HeaderWriter().write(new Map()));
  t.same(
    reply,
    hex('80 03 00 02 00 00 00 14 00 00 00 01 78 01 00 04 00 fb ff 00 00 00 00 00 00 00 ff ff'),
    'no headers, in a stored block, then an empty one',
  );
});

t.test('frames are found however the bytes are cut', async (t) => {
  const bytes = Buffer.concat([
    pingFrame(3),
    dataFrame(1, Buffer.from('hello'), true),
    dataFrame(5, Buffer.alloc(0)),
    rstFrame(1, 5),
  ]);
  const whole = parse(bytes);
  t.equal(whole.length, 4);
  t.match(whole[1], { kind: 'data', streamId: 1, fin: true });
  for (let size = 1; size < bytes.length; size += 1) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    const pieces = parse(...chunks);
    const data = pieces.filter((piece): piece is DataPiece => piece.kind === 'data' && piece.streamId === 1);
    t.equal(Buffer.concat(data.map((piece) => piece.bytes)).toString(), 'hello');
    t.same(data.map(({ fin }) => fin).filter(Boolean), [true], 'FIN once, with the last bytes');
    t.same(
      pieces.filter(({ kind }) => kind === 'control'),
      whole.filter(({ kind }) => kind === 'control'),
    );
  }
  t.throws(() => parse(hex('80 02 00 06 00 00 00 04 00 00 00 01')), SpdyError, 'another version');
  t.throws(() => parse(hex('80 03 00 01 00 ff ff ff')), SpdyError, 'a control frame of 16 MB');
  t.throws(() => parse(hex('00 00 00 00 00 00 00 01 00')), SpdyError, 'data for stream 0');
});

t.test('header blocks: there and back, one compression for all', async (t) => {
  const reader = new HeaderReader();
  const writer = new HeaderWriter();
  for (const headers of [
    new Map([
      ['streamtype', 'data'],
      ['port', '80'],
    ]),
    new Map(),
    new Map([['ä', 'ö\0ü']]),
  ]) {
    t.same([...(await reader.read(writer.write(headers)))], [...headers]);
  }
  reader.close();
  t.throws(() => parseHeaders(hex('00 00 00 01')), SpdyError);
  t.throws(() => parseHeaders(hex('00 00 00 01 ff ff ff ff 00')), SpdyError);
  t.throws(
    () =>
      parseHeaders(
        Buffer.concat([
          hex('00 00 00 02'),
          formatHeaders(new Map([['a', 'b']])).subarray(4),
          formatHeaders(new Map([['a', 'b']])).subarray(4),
        ]),
      ),
    /twice/,
  );
  await t.rejects(new HeaderReader().read(Buffer.from('no zlib at all')), SpdyError);
  const bomb = new HeaderReader();
  await t.rejects(bomb.read(deflateSync(Buffer.alloc(50_000_000), { dictionary })), /too large/);
  await t.rejects(bomb.read(Buffer.alloc(1)), SpdyError, 'of no use any more');
});

interface Pair {
  client: TestClient;
  server: SpdyConnection;
  streams: SpdyStream[];
  sockets: Socket[];
}

const listener = createServer();
listener.listen(0, '127.0.0.1');
await once(listener, 'listening');
t.teardown(() => listener.close());

async function connected(onStream: (stream: SpdyStream) => void): Promise<Pair> {
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const near = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [far] = await accepted;
  const streams: SpdyStream[] = [];
  const server = new SpdyConnection(far, (stream) => {
    streams.push(stream);
    onStream(stream);
  });
  return { client: new TestClient(near), server, streams, sockets: [near, far] };
}

const echo = (stream: SpdyStream): void => void stream.accept().pipe(stream);

t.test('streams: headers, bytes both ways, their ends', async (t) => {
  const { client, streams } = await connected(echo);
  const one = await client.open({ streamtype: 'data', port: '80' });
  await one.replied;
  t.same(
    [...(streams[0]?.headers ?? [])],
    [
      ['streamtype', 'data'],
      ['port', '80'],
    ],
  );
  const two = await client.open({ streamtype: 'error', port: '80' });
  await one.write('hello ');
  await two.write('other');
  await one.write('world', true);
  t.equal(await one.ended, 'fin');
  t.equal(one.text(), 'hello world');
  await two.end();
  await two.ended;
  t.equal(two.text(), 'other');
  await client.ping(1);
  await client.ping(2);
  const three = await client.open({ a: 'b' }, flag.fin);
  t.equal(await three.ended, 'fin', 'opened with its end');
  t.same(client.pongs, [1], 'even numbers are ours');
  t.equal(client.windows.size, 0, 'who does not speak of windows is not told of them');
  client.destroy();
});

t.test('megabytes, many streams at once, and windows for those who know them', async (t) => {
  const { client } = await connected(echo);
  await client.settings();
  const data = randomBytes(1_000_000);
  const many = await Promise.all(Array.from({ length: 50 }, () => client.open({ x: 'y' })));
  await Promise.all(
    many.map(async (stream) => {
      for (let at = 0; at < data.length; at += 32 * 1024)
        await stream.write(data.subarray(at, at + 32 * 1024));
      await stream.end();
    }),
  );
  for (const stream of many) {
    t.equal(await stream.ended, 'fin');
    t.equal(stream.bytes(), data.length);
  }
  t.ok((client.windows.get(0) ?? 0) >= 49 * data.length);
  client.destroy();
});

t.test('a stream that nobody reads holds the client up and takes no memory', async (t) => {
  const { client, streams, sockets } = await connected((stream) => void stream.accept());
  const stream = await client.open({ x: 'y' });
  const flood = Array.from({ length: 400 }, () => stream.write(Buffer.alloc(64 * 1024)));
  for (let turns = 0; turns < 1000; turns += 1) await new Promise(setImmediate);
  t.ok((streams[0]?.readableLength ?? 0) <= 2 * readAheadBytes);
  t.ok((sockets[0]?.writableLength ?? 0) > 10_000_000, 'the rest waits at the client');
  streams[0]?.resume();
  await Promise.all(flood);
  client.destroy();
});

t.test('resets and refusals', async (t) => {
  const { client, streams, server } = await connected((stream) => {
    if (stream.headers.get('x') === 'no') stream.destroy();
    else stream.accept();
  });
  t.equal(await (await client.open({ x: 'no' })).ended, 'reset');
  t.equal(await (await client.open({ x: 'y' }, flag.unidirectional)).ended, 'reset');
  const one = await client.open({ x: 'y' });
  await one.replied;
  const closed = once(streams[1] as SpdyStream, 'close');
  await one.reset();
  await closed;
  await one.write('late bytes are dropped');
  const two = await client.open({ x: 'y' });
  await two.replied;
  server.end();
  t.equal(await two.ended, 'reset');
  await client.ping(3);
  while (client.pongs.length === 0) await new Promise(setImmediate);
  t.ok(client.goneAway);
  client.destroy();
  t.equal(await server.closed, undefined);
  t.ok(streams.every(({ destroyed }) => destroyed));
});

t.test('a connection that breaks takes its streams along, also while one is full', async (t) => {
  const { client, server, streams, sockets } = await connected((stream) => void stream.accept());
  const stream = await client.open({ x: 'y' });
  void stream.write(Buffer.alloc(readAheadBytes * 4));
  while ((streams[0]?.readableLength ?? 0) < readAheadBytes) await new Promise(setImmediate);
  sockets[1]?.destroy();
  await server.closed;
  t.ok(streams[0]?.destroyed);
  client.destroy();
});

t.test('more streams than allowed are refused, the others live on', async (t) => {
  const { client } = await connected(echo);
  const many = await Promise.all(Array.from({ length: 2001 }, () => client.open({ x: 'y' })));
  t.equal(await many[2000]?.ended, 'reset');
  await many[0]?.write('still here', true);
  await many[0]?.ended;
  t.equal(many[0]?.text(), 'still here');
  client.destroy();
});

t.test('a flood of whatever wants an answer holds up its sender, and takes no memory', async (t) => {
  const count = 3000;
  const headers = new HeaderWriter();
  const floods: Record<string, (n: number) => Buffer> = {
    pings: () => pingFrame(1),
    'refused streams': (n) => {
      const frame = synStreamFrame(2 * n + 1, headers.write(new Map()));
      frame.writeUInt8(flag.unidirectional, 4);
      return frame;
    },
    'data of no stream': () =>
      Buffer.concat([controlFrame(frameType.settings, Buffer.alloc(4)), dataFrame(9, Buffer.from('x'))]),
  };
  for (const [name, of] of Object.entries(floods)) {
    /** Takes nothing of what it is told. */
    const deaf = new Duplex({ read: () => undefined, write: () => undefined });
    const server = new SpdyConnection(deaf, () => undefined);
    for (let n = 0; n < count; n += 1) deaf.push(of(n));
    while (deaf.writableLength < 12_000) await new Promise(setImmediate);
    for (let turns = 0; turns < count; turns += 1) await new Promise(setImmediate);
    t.ok(deaf.writableLength < 20_000, `${name}: ${deaf.writableLength} bytes wait`);
    deaf.destroy();
    await server.closed;
  }
});

t.test('headers of many streams take little memory, however well they pack', async (t) => {
  const { client, server } = await connected((stream) => void stream.accept());
  const many = new Map(Array.from({ length: 65 }, (_, n) => [`name-${n}`, '']));
  await client.open(Object.fromEntries(many));
  t.match(await server.closed, /too many names/);
  const { client: second, server: other } = await connected((stream) => void stream.accept());
  await second.open({ x: 'y'.repeat(17_000) });
  t.match(await other.closed, /too large/);
});

t.test('many streams that nobody reads hold little between them', async (t) => {
  const { client, streams, sockets } = await connected((stream) => void stream.accept());
  const many = await Promise.all(Array.from({ length: 2000 }, (_, n) => client.open({ n: String(n) })));
  for (const stream of many) void stream.write(Buffer.alloc(readAheadBytes - 1));
  for (let turns = 0; turns < 3000; turns += 1) await new Promise(setImmediate);
  const held = streams.reduce((sum, { readableLength }) => sum + readableLength, 0);
  t.ok(held < 32 * 1024 * 1024, `${held} bytes`);
  for (const socket of sockets) socket.destroy();
  client.destroy();
});

t.test('wrong frames end the connection, with a reason where it is the client’s fault', async (t) => {
  const wrong: Record<string, Buffer> = {
    'no headers': controlFrame(frameType.synStream, Buffer.alloc(10)),
    'no body': controlFrame(frameType.synStream, Buffer.alloc(0)),
    'no zlib': controlFrame(frameType.synStream, Buffer.alloc(40, 1)),
    'an answer to nothing': synReplyFrame(1, new HeaderWriter().write(new Map())),
    'a short reset': controlFrame(frameType.rstStream, Buffer.alloc(3)),
    HTTP: Buffer.from('GET / HTTP/1.1\r\n\r\n\r\n'.repeat(10)),
  };
  for (const [name, bytes] of Object.entries(wrong)) {
    const { client, server } = await connected(echo);
    await client.send(bytes);
    if (name === 'HTTP') client.destroy();
    else t.type(await server.closed, SpdyError, name);
    await server.closed;
    await client.closed;
  }
  const { client, server } = await connected(echo);
  const block = await client.pack(formatHeaders(new Map([['a', 'b']])));
  const even = Buffer.concat([hex('00 00 00 02 00 00 00 00 00 00'), block]);
  await client.send(controlFrame(frameType.synStream, even));
  t.match(await server.closed, /stream 2 cannot be opened/);
});

t.test('whatever comes, nothing throws and nothing piles up', { timeout: 120_000 }, async (t) => {
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc
      .tuple(fc.nat(12), fc.nat(3), fc.uint8Array({ maxLength: 64 }))
      .map(([type, flags, body]) => controlFrame(type, Buffer.from(body), flags)),
    fc
      .tuple(fc.nat(20), fc.uint8Array({ maxLength: 300 }), fc.boolean())
      .map(([id, body, fin]) => dataFrame(id, Buffer.from(body), fin)),
    fc.constant('open' as const),
  );
  const before = process.memoryUsage().rss;
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 20 }), fc.nat(100), async (frames, cut) => {
      const { client, server, sockets } = await connected(echo);
      for (const bytes of frames) {
        if (bytes === 'open') await client.open({ x: 'y' });
        else await client.send(bytes);
      }
      await client.send(pingFrame(1).subarray(0, cut % 12));
      sockets[0]?.end();
      await server.closed;
      client.destroy();
      await client.closed;
    }),
    { numRuns: 1000 },
  );
  t.ok(process.memoryUsage().rss - before < 150_000_000);
});
