/** The end of a log for its page. Records come from generators in place of the live API. */
import assert from 'node:assert/strict';
import type { LogRecord } from '../../../../common/api/log.ts';
import type { LogUpdate } from '../../../../common/api/panels.ts';
import { LogTail } from '../../../../extension/panels/log-tail.ts';
import type { FollowLog } from '../../../../extension/panels/log-tail.ts';
import { until } from '../../../support/until.ts';

const record = (seq: number): LogRecord => ({
  seq,
  time: '2030-01-01T00:00:00Z',
  type: 'output',
  text: `line ${seq}`,
});
const records = (from: number, to: number): LogRecord[] =>
  Array.from({ length: to - from + 1 }, (_, index) => record(from + index));

describe('the tail of a log', () => {
  let updates: LogUpdate[];
  let tail: LogTail;
  const make = (follow: FollowLog, maxLines = 5): LogTail =>
    new LogTail({ follow, send: (update) => updates.push(update), describe: String, gatherMs: 1, maxLines });
  const state = (): LogUpdate['state'] | undefined => updates.at(-1)?.state;
  const sent = (): number[] => updates.flatMap(({ lines }) => lines.map(({ seq }) => seq));

  beforeEach(() => (updates = []));
  afterEach(() => tail.close());

  it('sends only the last lines of a long log, gathered, and keeps them for a page that is made anew', async () => {
    tail = make(async function* () {
      for (let from = 1; from <= 1000; from += 100) yield records(from, from + 99);
    });
    tail.start();
    await until(() => state() === 'ended', 'the end', 2000);
    assert.deepEqual(sent(), [996, 997, 998, 999, 1000]);
    const whole = tail.whole();
    assert.deepEqual([whole.reset, whole.lines.map(({ seq }) => seq)], [true, [996, 997, 998, 999, 1000]]);
  });

  it('goes on after the last line when it is started again, and tells nothing meanwhile', async () => {
    const asked: number[] = [];
    tail = make(async function* ({ since, signal }) {
      asked.push(since);
      yield records(since + 1, since + 2);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    });
    tail.start();
    await until(() => sent().length === 2, 'the first lines', 2000);
    tail.stop();
    tail.start();
    await until(() => sent().length === 4, 'more lines', 2000);
    assert.deepEqual(
      [asked, sent()],
      [
        [0, 2],
        [1, 2, 3, 4],
      ],
    );
  });

  it('does not show a line twice', async () => {
    tail = make(async function* () {
      yield records(1, 3);
      yield records(2, 4);
    });
    tail.start();
    await until(() => state() === 'ended', 'the end', 2000);
    assert.deepEqual(sent(), [1, 2, 3, 4]);
  });

  it('says why there is none, and can be started again', async () => {
    let tries = 0;

    tail = make(async function* () {
      tries += 1;
      throw new Error('forbidden');
    });
    tail.start();
    await until(() => state() === 'unavailable', 'the failure', 2000);
    assert.match(updates.at(-1)?.problem ?? '', /forbidden/);
    tail.start();
    await until(() => tries === 2, 'the second try', 2000);
  });

  it('does not follow again what has ended', async () => {
    let tries = 0;
    tail = make(async function* () {
      tries += 1;
      yield records(1, 1);
    });
    tail.start();
    await until(() => state() === 'ended', 'the end', 2000);
    tail.start();
    await tail.close();
    assert.equal(tries, 1);
  });
});
