import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { AuditEvent } from '../../../../common/api/audit.ts';
import {
  canonicalJson,
  FIRST_PREVIOUS,
  nextLink,
  TAMPERINGS,
  verifyChain,
} from '../../../../common/rules/audit-chain.ts';
import type { ChainHead, Link, Verdict } from '../../../../common/rules/audit-chain.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const chain = { namespace: 'team-a', writer: 'operator-1' };

const event = (details: Record<string, unknown> = {}): AuditEvent => ({
  namespace: chain.namespace,
  sessionId: 's1',
  actor: 'ann',
  action: 'view',
  resource: 'sessions/log',
  outcome: 'allowed',
  details,
});

function linked(events: readonly AuditEvent[]): Link[] {
  const links: Link[] = [];
  let before: ChainHead | undefined;
  for (const [index, each] of events.entries()) {
    const timestamp = new Date(Date.UTC(2030, 0, 1, 0, 0, index)).toISOString();
    const link = nextLink(each, { writer: chain.writer, timestamp, before }, sha256);
    links.push(link);
    before = link.record;
  }
  return links;
}

const verify = (lines: readonly string[], more: { heads?: ChainHead[]; trims?: ChainHead[] } = {}): Verdict =>
  verifyChain(lines, { ...chain, ...more }, sha256);

const tampering = (verdict: Verdict): string =>
  verdict.ok ? 'ok' : `${verdict.tampering} at ${verdict.seq}`;

const chains = fc
  .array(fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }), {
    minLength: 2,
    maxLength: 8,
  })
  .map((details) => linked(details.map(event)));

/** A chain and an index into it. */
const chainAndPlace = chains.chain((links) =>
  fc.tuple(fc.constant(links), fc.nat({ max: links.length - 1 })),
);

describe('a chain of audit records', () => {
  const links = linked(Array.from({ length: 6 }, (_, index) => event({ index })));
  const lines = links.map(({ line }) => line);
  const head = links.at(-1)?.record ?? { seq: 0, hash: '' };
  const without = (index: number): string[] => lines.toSpliced(index, 1);

  it('is numbered from 1 and links each record to the one before', () => {
    assert.deepEqual(
      links.map(({ record }) => record.seq),
      [1, 2, 3, 4, 5, 6],
    );
    assert.equal(links[0]?.record.previous, FIRST_PREVIOUS);
    for (const [index, { record }] of links.entries())
      if (index > 0) assert.equal(record.previous, links[index - 1]?.record.hash);
    const verdict = verify(lines, { heads: [head] });
    assert.equal(verdict.ok && verdict.records, 6);
  });

  it('is whole however its details look', () => {
    fc.assert(
      fc.property(chains, (made) =>
        assert.equal(
          tampering(
            verify(
              made.map(({ line }) => line),
              { heads: made.map(({ record }) => record) },
            ),
          ),
          'ok',
        ),
      ),
    );
  });

  it('shows every change of a single byte, and where', () => {
    fc.assert(
      fc.property(chainAndPlace, fc.nat(), fc.integer({ min: 1, max: 255 }), ([made, place], at, flip) => {
        const changed = made.map(({ line }) => Buffer.from(line));
        const bytes = changed[place] ?? Buffer.alloc(0);
        const position = at % bytes.length;
        bytes[position] = (bytes[position] ?? 0) ^ flip;
        const verdict = verify(changed.map((each) => each.toString('utf8')));
        assert.equal(tampering(verdict), `edited at ${place + 1}`);
      }),
      { numRuns: 2000 },
    );
  });

  it('names the first record by its place, though its number was changed', () => {
    fc.assert(
      fc.property(chainAndPlace, ([made]) => {
        const changed = made.map(({ line }) => line);
        changed[0] = (changed[0] ?? '').replace('"seq":1', '"seq":3');
        assert.equal(tampering(verify(changed)), 'edited at 1');
      }),
      { numRuns: 50 },
    );
  });

  it('shows each byte taken away or put in', () => {
    fc.assert(
      fc.property(chainAndPlace, fc.nat(), fc.boolean(), ([made, place], at, isAdded) => {
        const changed = made.map(({ line }) => line);
        const line = changed[place] ?? '';
        const position = at % line.length;
        changed[place] =
          line.slice(0, position) + (isAdded ? ' ' : '') + line.slice(position + (isAdded ? 0 : 1));
        assert.equal(tampering(verify(changed)), `edited at ${place + 1}`);
      }),
      { numRuns: 1000 },
    );
  });

  it('shows a record that was edited and sealed again', () => {
    fc.assert(
      fc.property(chainAndPlace, ([made, place]) => {
        const { record } = made[place] ?? assert.fail();
        const { hash: _, ...rest } = { ...record, actor: 'mallory' };
        const forged = canonicalJson({ ...rest, hash: sha256(canonicalJson(rest)) });
        const verdict = verify(
          made.map(({ line }, index) => (index === place ? forged : line)),
          { heads: [made.at(-1)?.record ?? assert.fail()] },
        );
        assert.equal(tampering(verdict), `edited at ${place + 1}`);
      }),
    );
  });

  it('shows every record that was removed', () => {
    for (let index = 0; index < lines.length; index++) {
      const expected = index === lines.length - 1 ? 'truncated at 6' : `removed at ${index + 1}`;
      assert.equal(tampering(verify(without(index), { heads: [head] })), expected);
    }
  });

  it('shows any two records that changed places', () => {
    fc.assert(
      fc.property(chainAndPlace, fc.nat(), ([made, place], other) => {
        const second = other % made.length;
        fc.pre(place !== second);
        const swapped = made.map(({ line }) => line);
        [swapped[place], swapped[second]] = [swapped[second] ?? '', swapped[place] ?? ''];
        const first = Math.min(place, second) + 1;
        // Of a first record nobody can say from the chain alone that something stood before it.
        const verdict = verify(swapped, { heads: [made.at(-1)?.record ?? assert.fail()] });
        assert.equal(verdict.ok, false);
        if (first > 1) assert.equal(tampering(verdict), `reordered at ${first}`);
      }),
    );
  });

  it('shows a record that stands there twice, and one of another chain', () => {
    assert.equal(tampering(verify(lines.toSpliced(3, 0, lines[1] ?? ''))), 'inserted at 2');
    const foreign = nextLink(
      event(),
      { writer: 'operator-2', timestamp: '2030-01-01T00:00:00Z', before: links[2]?.record },
      sha256,
    );
    assert.equal(tampering(verify([...lines.slice(0, 3), foreign.line])), 'inserted at 4');
  });

  it('shows every truncation against a published head', () => {
    fc.assert(
      fc.property(chainAndPlace, ([made, kept]) => {
        const verdict = verify(
          made.slice(0, kept).map(({ line }) => line),
          { heads: [made.at(-1)?.record ?? assert.fail()] },
        );
        assert.equal(tampering(verdict), `truncated at ${kept + 1}`);
      }),
    );
    assert.equal(tampering(verify(lines.slice(0, 3))), 'ok', 'without a head nobody can tell');
  });

  it('shows a chain that was written anew', () => {
    const anew = linked(Array.from({ length: 6 }, (_, index) => event({ index, anew: true })));
    const verdict = verify(
      anew.map(({ line }) => line),
      { heads: [links[3]?.record ?? head] },
    );
    assert.equal(tampering(verdict), 'edited at 4');
  });

  it('may begin later when the trim was recorded, also one that broke off half-way', () => {
    const trim = links[2]?.record ?? head;
    for (const start of [1, 2, 3])
      assert.equal(tampering(verify(lines.slice(start), { trims: [trim], heads: [head] })), 'ok');
    assert.equal(tampering(verify(lines.slice(4), { trims: [trim] })), 'removed at 1');
    assert.equal(tampering(verify(lines.slice(3), { trims: [{ ...trim, hash: 'f' }] })), 'removed at 1');
    assert.equal(tampering(verify(lines.slice(3))), 'removed at 1');
  });

  it('never throws, whatever the lines are', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.json(), fc.constantFrom(...lines))), (any) => {
        const verdict = verify(any);
        if (!verdict.ok) assert.ok(TAMPERINGS.includes(verdict.tampering));
      }),
    );
  });
});
