import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { linesOf, parseWatchEvent } from '../../../../common/kube/watch-stream.ts';

async function collect(chunks: Buffer[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const batch of linesOf(Readable.from(chunks), () => undefined)) lines.push(...batch);
  return lines;
}

function cut(bytes: Buffer, at: number[]): Buffer[] {
  const places = [...new Set(at.map((each) => each % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

describe('the lines of a watch', () => {
  it('are the same however the network cuts them, inside a character too', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' })),
        fc.array(fc.nat()),
        async (texts, places) => {
          const lines = texts.map((text) => JSON.stringify({ text }));
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          assert.deepEqual(await collect(cut(bytes, places)), lines);
        },
      ),
    );
  });

  it('do not include a last one that was cut off', async () => {
    assert.deepEqual(await collect([Buffer.from('one\ntw'), Buffer.from('o')]), ['one']);
  });

  it('take time in proportion to their length', async () => {
    const time = async (pieces: number): Promise<number> => {
      const chunks = Array.from({ length: pieces }, () => Buffer.alloc(512, 'x'));
      // Not of the clock, which goes on while others have the processor.
      const from = process.cpuUsage();
      assert.equal((await collect([...chunks, Buffer.from('\n')]))[0]?.length, pieces * 512);
      const { user, system } = process.cpuUsage(from);
      return (user + system) / 1000;
    };
    await time(1_000);
    const small = await time(2_000);
    // 16 times as long; were each piece copied again with the next, it would take 256 times as long.
    assert.ok((await time(32_000)) < Math.max(small, 1) * 100);
  });

  it('end with an error rather than filling the memory', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    await assert.rejects(collect(Array.from({ length: 33 }, () => chunk)), RangeError);
  });

  it('are events or an error', () => {
    assert.equal(parseWatchEvent('{"type":"ADDED","object":{"metadata":{"name":"a"}}}').type, 'ADDED');
    for (const line of ['null', '[]', '{}', '{"type":"ADDED"}', 'x']) {
      assert.throws(() => parseWatchEvent(line), SyntaxError);
    }
  });
});
