/** Log records as a conversation: what belongs together, what is kept, and that nothing an agent writes breaks it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RECORD_TYPES } from '../../../../../common/api/log.ts';
import type { LogRecord } from '../../../../../common/api/log.ts';
import type { ConversationEntry, ConversationUpdate } from '../../../../../common/api/panels.ts';
import { Conversation, PAGE_ENTRIES } from '../../../../../extension/panels/conversation/conversation.ts';
import { NO_CONVERSATION, updated } from '../../../../../webview/session/conversation-model.ts';

const AT = '2030-01-01T00:00:00.000Z';
const numbered = (records: Omit<LogRecord, 'seq' | 'time'>[]): LogRecord[] =>
  records.map((record, index) => ({ seq: index + 1, time: AT, ...record }));
const of = (...records: Omit<LogRecord, 'seq' | 'time'>[]): Conversation => {
  const conversation = new Conversation();
  for (const record of numbered(records)) conversation.add(record);
  return conversation;
};
/** Without what every entry has. */
const plainOf = (entries: readonly ConversationEntry[]): object[] =>
  entries.map(({ index: _, time: __, ...rest }) => rest);

describe('a conversation', () => {
  it('folds a call and its result, by id, in whatever order results come', () => {
    const { entries } = of(
      { type: 'tool-call', text: 'ls', name: 'Bash', id: 'a' },
      { type: 'tool-call', text: '', name: 'Read', id: 'b', data: { input: { path: 'x' } } },
      { type: 'tool-result', text: 'no such file', id: 'b', data: { is_error: true } },
      { type: 'tool-result', text: 'x y', id: 'a' },
      { type: 'tool-result', text: 'of no call', id: 'z', name: 'Odd' },
    ).whole();
    assert.deepEqual(plainOf(entries), [
      { kind: 'tool', name: 'Bash', text: 'ls', result: 'x y', tookMs: 0 },
      {
        kind: 'tool',
        name: 'Read',
        text: '{\n  "path": "x"\n}',
        result: 'no such file',
        hasFailed: true,
        tookMs: 0,
      },
      { kind: 'tool', name: 'Odd', text: '', result: 'of no call' },
    ]);
  });

  it('joins what was too long for one record, and cuts what is too long for a page', () => {
    const { entries } = of(
      { type: 'assistant', text: 'one ', partial: true },
      { type: 'assistant', text: 'two' },
      { type: 'assistant', text: 'x'.repeat(20_000), partial: true },
      { type: 'assistant', text: 'y'.repeat(20_000) },
      { type: 'tool-call', text: 'cat', id: 'a' },
      { type: 'tool-result', text: 'first ', id: 'a', partial: true },
      { type: 'tool-result', text: 'second', id: 'a', data: { isError: true } },
    ).whole();
    assert.deepEqual(plainOf(entries.slice(0, 1)), [{ kind: 'assistant', text: 'one two' }]);
    const [, long, tool] = entries;
    assert.ok(long?.kind === 'assistant' && long.isCut === true && long.text.length === 32 * 1024);
    assert.ok(tool?.kind === 'tool' && tool.result === 'first second' && tool.hasFailed === true);
  });

  it('gathers output between events, and keeps its end', () => {
    const { entries, hasTalk } = of(
      ...Array.from({ length: 1000 }, (_, line) => ({
        type: 'output' as const,
        stream: line === 3 ? ('stderr' as const) : ('stdout' as const),
        text: `line ${line}`,
      })),
    ).whole();
    const [output] = entries;
    assert.equal(entries.length, 1);
    assert.ok(output?.kind === 'output' && output.lines === 1000 && output.hasErrors === true);
    assert.ok(output.text.endsWith('line 998\nline 999') && output.text.length <= 4096);
    assert.equal(hasTalk, false);
  });

  it('lists changed files once, the latest first, by their path in the workspace', () => {
    const { changes, moreChanges } = of(
      { type: 'file-change', text: '/workspace/a.txt', name: 'Write' },
      { type: 'file-change', text: './b.txt', name: 'Edit' },
      { type: 'file-change', text: 'Edited a.txt', name: 'Edit', data: { path: 'a.txt' } },
    ).whole();
    assert.deepEqual(
      changes.map(({ path, how }) => [path, how]),
      [
        ['a.txt', 'Edit'],
        ['b.txt', 'Edit'],
      ],
    );
    assert.equal(moreChanges, 0);
  });

  it('adds up tokens and cost, and thins out what is more than a plot can show', () => {
    const { usage } = of(
      ...Array.from({ length: 1000 }, () => ({
        type: 'usage' as const,
        text: '',
        data: { inputTokens: 10, cacheReadTokens: 5, outputTokens: 2, costUsd: '0.001' },
      })),
      { type: 'usage', text: '', data: { inputTokens: -5, outputTokens: 'many', costUsd: {} } },
    ).whole();
    const last = usage?.points.at(-1);
    assert.deepEqual(
      [last?.inputTokens, last?.outputTokens, last?.cost.toFixed(6)],
      [15_000, 2000, '1.000000'],
    );
    assert.ok((usage?.points.length ?? 0) <= 240);
    assert.equal(usage?.hasCost, true);
  });

  it('takes a question for answered once somebody says something', () => {
    const conversation = of({ type: 'question', text: 'Which?', data: { options: ['one', '', 7, 'two'] } });
    assert.deepEqual(plainOf(conversation.whole().entries), [
      { kind: 'question', text: 'Which?', options: ['one', 'two'] },
    ]);
    conversation.add({ seq: 2, time: AT, type: 'user', text: 'two', name: 'ann' });
    assert.deepEqual(plainOf(conversation.update().entries), [
      { kind: 'question', text: 'Which?', options: ['one', 'two'], isAnswered: true },
      { kind: 'user', text: 'two', name: 'ann' },
    ]);
  });

  it('has no answers for a question that the agent has taken back', () => {
    const conversation = of(
      { type: 'question', id: 'r1', text: 'May it?' },
      { type: 'question', id: 'r2', text: 'Or that?' },
      { type: 'status', name: 'question-withdrawn', id: 'r1', text: 'not any more' },
    );
    assert.deepEqual(plainOf(conversation.whole().entries), [
      { kind: 'question', text: 'May it?', isWithdrawn: true },
      { kind: 'question', text: 'Or that?' },
      { kind: 'status', text: 'not any more', name: 'question-withdrawn' },
    ]);
    conversation.add({ seq: 4, time: AT, type: 'user', text: 'yes', name: 'ann' });
    assert.deepEqual(plainOf(conversation.whole().entries)[1], {
      kind: 'question',
      text: 'Or that?',
      isAnswered: true,
    });
  });

  it('offers the answers of a question as agents ask it', () => {
    const questions = [
      { question: 'Which?', options: [{ label: 'one', description: 'x' }, { label: 'two' }, {}] },
    ];
    const of = (data: Record<string, unknown>): unknown => {
      const conversation = new Conversation();
      conversation.add({ seq: 1, time: AT, type: 'question', text: 'Which?', data });
      return plainOf(conversation.whole().entries);
    };
    assert.deepEqual(of({ questions }), [{ kind: 'question', text: 'Which?', options: ['one', 'two'] }]);
    assert.deepEqual(of({ questions: [...questions, ...questions] }), [{ kind: 'question', text: 'Which?' }]);
    for (const odd of [null, 7, 'x', [null], [7], [{ options: 'x' }], {}])
      assert.deepEqual(of({ questions: odd }), [{ kind: 'question', text: 'Which?' }]);
  });

  it('keeps to its bounds, and tells from where on it still has entries', () => {
    const conversation = new Conversation({ maxEntries: 1000, maxCharacters: 100_000 });
    for (let seq = 1; seq <= 5000; seq += 1)
      conversation.add({ seq, time: AT, type: 'assistant', text: 'x'.repeat(50) });
    const { entries, first } = conversation.whole();
    assert.equal(entries.length, PAGE_ENTRIES);
    assert.equal(entries.at(-1)?.index, 4999);
    assert.ok(first >= 4000 && first <= 4200, String(first));
    const before = conversation.earlier(entries[0]?.index ?? 0);
    assert.equal(before.entries.at(-1)?.index, (entries[0]?.index ?? 0) - 1);
    assert.deepEqual(conversation.earlier(first).entries, []);
  });

  it('leaves a page that follows with just what it would be given anew, whatever comes', () => {
    const record = fc.record({
      type: fc.constantFrom(...RECORD_TYPES),
      text: fc.string({ unit: 'binary', maxLength: 40 }),
      partial: fc.option(fc.boolean(), { nil: undefined }),
      id: fc.option(fc.constantFrom('a', 'b', '__proto__'), { nil: undefined }),
      name: fc.option(fc.string({ maxLength: 10 }), { nil: undefined }),
      data: fc.option(fc.dictionary(fc.constantFrom('input', 'path', 'options', 'costUsd'), fc.jsonValue()), {
        nil: undefined,
      }),
    });
    fc.assert(
      fc.property(fc.array(fc.array(record, { maxLength: 60 }), { maxLength: 12 }), (batches) => {
        const conversation = new Conversation({ maxEntries: 300 });
        let page = updated(NO_CONVERSATION, conversation.whole(), true);
        let seq = 0;
        for (const batch of batches) {
          for (const each of batch) {
            seq += 1;
            conversation.add(withoutUndefined({ seq, time: AT, ...each }));
          }
          page = updated(page, structuredClone(conversation.update()), true);
        }
        const fresh: ConversationUpdate = conversation.whole();
        const shown = page.entries.slice(-fresh.entries.length);
        assert.deepEqual(fresh.entries.length === 0 ? [] : shown, fresh.entries);
        page.entries.forEach((entry, index) =>
          assert.equal(entry.index, (page.entries[0]?.index ?? 0) + index),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('takes 100,000 records in a moment', () => {
    const started = performance.now();
    const conversation = new Conversation();
    for (let seq = 1; seq <= 100_000; seq += 1) {
      const type = seq % 2 === 0 ? 'tool-result' : 'tool-call';
      conversation.add({ seq, time: AT, type, id: String(seq >> 1), text: 'x'.repeat(100) });
      if (seq % 100 === 0) conversation.update();
    }
    const took = performance.now() - started;
    assert.ok(took < 5000, `${took} ms`);
  });
});

const withoutUndefined = (record: object): LogRecord =>
  Object.fromEntries(
    Object.entries(record).filter(([, value]) => value !== undefined),
  ) as unknown as LogRecord;
