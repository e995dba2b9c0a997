import assert from 'node:assert/strict';
import { saveLog } from '../../../../extension/logs/save-log.ts';
import { MemoryLog } from './log-source.ts';

describe('saving a whole log', () => {
  const saved = async (log: MemoryLog): Promise<string> => {
    let text = '';
    await saveLog({
      source: log,
      signal: new AbortController().signal,
      write: async (piece) => void (text += piece),
    });
    return text;
  };
  const time = '2026-01-02T03:04:05.678Z';

  it('writes every record with its time, uncut, whatever breaks off', async () => {
    const log = new MemoryLog();
    const long = 'x'.repeat(16_000);
    log.add('one', long, 'three');
    log.faults.push({ cutAfterBytes: 150, silently: true }, { cutAfterBytes: 20, silently: false });
    assert.equal(await saved(log), `${time} one\n${time} ${long}\n${time} three\n`);
  });

  it('joins the pieces of one line, and takes out what would act on a terminal', async () => {
    const log = new MemoryLog();
    log.add('a', 'b', '\x1b[31mc\x1b]0;evil', 'd');
    for (const index of [0, 1]) Object.assign(log.records[index] ?? {}, { partial: true });
    Object.assign(log.records[3] ?? {}, { stream: 'stderr' });
    assert.equal(await saved(log), `${time} abc␛]0;evil\n${time} [stderr] d\n`);
  });

  it('gives up when nothing more comes', async () => {
    const log = new MemoryLog();
    log.faults.push(...Array.from({ length: 20 }, () => ({ refuse: new Error('away') })));
    await assert.rejects(saved(log), /away/);
    assert.ok(log.asked.length < 10);
  });
});
