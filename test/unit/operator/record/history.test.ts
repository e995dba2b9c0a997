/** History in status: appended to, trimmed, never lost. */
import assert from 'node:assert/strict';
import { json } from 'node:stream/consumers';
import { HISTORY_KEEP, HISTORY_MAX } from '../../../../common/api/session.ts';
import type { HistoryEntry } from '../../../../common/api/session.ts';
import { appendHistory, historyAppender } from '../../../../operator/record/history.ts';
import { keys, refOf } from '../../../../operator/store/keys.ts';
import { aSession, NOW } from '../../../support/fixtures.ts';
import { temporaryStore } from '../../../support/temporary-store.ts';

const entry = (event: string) => ({ timestamp: NOW, event, actor: 'ann' });
const entries = (from: number, to: number): HistoryEntry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ seq: from + i, ...entry(`e${from + i}`) }));
const seqs = (history: HistoryEntry[]): number[] => history.map(({ seq }) => seq);

describe('appendHistory', () => {
  it('numbers from 1, and on from what stands', () => {
    assert.deepEqual(seqs(appendHistory(undefined, [entry('a'), entry('b')]).history), [1, 2]);
    assert.deepEqual(seqs(appendHistory(entries(7, 9), [entry('a')]).history), [7, 8, 9, 10]);
    assert.deepEqual(appendHistory(entries(1, 3), []), { history: entries(1, 3), archive: [] });
  });

  it('fills up to the most, and only then lets the front go', () => {
    const full = appendHistory(entries(1, HISTORY_MAX - 1), [entry('a')]);
    assert.equal(full.history.length, HISTORY_MAX);
    assert.deepEqual(full.archive, []);
    const { history, archive } = appendHistory(full.history, [entry('b'), entry('c')]);
    assert.equal(history.length, HISTORY_KEEP + 2);
    assert.equal(history.at(-1)?.seq, HISTORY_MAX + 2);
    assert.deepEqual(seqs([...archive, ...history]), seqs(entries(1, HISTORY_MAX + 2)));
    assert.deepEqual(appendHistory(full.history, []).archive, []);
  });

  it('keeps what does not fit into a list not yet full inside the last entry that does', () => {
    const { history, archive } = appendHistory(entries(1, HISTORY_MAX - 1), [
      entry('a'),
      entry('b'),
      entry('c'),
    ]);
    assert.equal(history.length, HISTORY_MAX);
    assert.deepEqual(archive, []);
    assert.deepEqual(history.at(-1), {
      seq: HISTORY_MAX,
      ...entry('c'),
      data: { also: [entry('a'), entry('b')] },
    });
  });
});

describe('historyAppender', () => {
  it('has stored what it trims before anybody can write the trimmed list', async () => {
    await using temporary = await temporaryStore();
    const session = aSession()
      .status({ history: entries(1, HISTORY_MAX) })
      .build();
    const history = await historyAppender(temporary.store)(session, [entry('new')]);
    assert.equal(history[0]?.seq, HISTORY_MAX - HISTORY_KEEP + 1);
    const { body } = await temporary.store.get(keys.history(refOf(session), 1));
    assert.deepEqual(await json(body), entries(1, HISTORY_MAX - HISTORY_KEEP));
  });
});
