import assert from 'node:assert/strict';
import type { LogRecord } from '../../../../common/api/log.ts';
import { clockTime, LINE_MAX, LogLines } from '../../../../extension/logs/log-lines.ts';

const noTime = { formatTime: () => '' };
let seq = 0;
const record = (fields: Partial<LogRecord>): LogRecord => ({
  seq: (seq += 1),
  time: '2026-01-02T03:04:05.678Z',
  type: 'output',
  text: '',
  ...fields,
});
const output = (text: string, fields: Partial<LogRecord> = {}): LogRecord =>
  record({ text, stream: 'stdout', ...fields });
const textOf = (lines: LogLines): string[] => lines.since(0).map(({ text }) => text);

describe('records of a log as lines', () => {
  it('marks each kind of record in a column of its own', () => {
    const lines = new LogLines(noTime);
    lines.add(output('plain'));
    lines.add(output('careful', { stream: 'stderr' }));
    lines.add(record({ type: 'status', name: 'start', text: 'started: make' }));
    lines.add(record({ type: 'error', text: 'no space left' }));
    lines.add(record({ type: 'tool-call', name: 'Bash', text: 'ls' }));
    lines.add(record({ type: 'assistant', text: 'I will\nlook.' }));
    assert.deepEqual(textOf(lines), [
      '  plain',
      '! careful',
      '• start  started: make',
      '✖ no space left',
      '▶ Bash  ls',
      '» I will',
      '  look.',
    ]);
  });

  it('puts the time in front, and blanks in front of lines that go on', () => {
    const lines = new LogLines({ formatTime: clockTime });
    lines.add(record({ type: 'tool-result', name: 'Read', text: 'one\r\ntwo\n' }));
    const [first = '', second = ''] = textOf(lines);
    assert.match(first, /^\d\d:\d\d:05\.678 ◀ Read {2}one$/);
    assert.equal(second, `${' '.repeat(15)}two`);
    assert.equal(lines.total, 2);
    assert.equal(clockTime('nonsense'), '??:??:??.???');
  });

  it('joins a line that came in several records, streams apart', () => {
    const lines = new LogLines(noTime);
    lines.add(output('one ', { partial: true }));
    lines.add(output('err ', { stream: 'stderr', partial: true }));
    lines.add(output('line'));
    lines.add(output('or', { stream: 'stderr' }));
    assert.deepEqual(textOf(lines), ['  one line', '! err or']);
  });

  it('shows the start of an endless line at once, then how long it was', () => {
    const lines = new LogLines(noTime);
    const piece = 'x'.repeat(16 * 1024);
    for (let n = 0; n < 640; n += 1) {
      lines.add(output(piece, { partial: true }));
      assert.equal(lines.total, 1, 'and no more of it');
    }
    lines.add(output('end'));
    lines.add(output('next'));
    assert.deepEqual(textOf(lines), [
      `  ${'x'.repeat(LINE_MAX)} … (line cut here)`,
      '… the stdout line cut above has 10,485,763 characters',
      '  next',
    ]);
  });

  it('cuts a long line and says so', () => {
    const lines = new LogLines(noTime);
    lines.add(output('y'.repeat(5000)));
    assert.deepEqual(textOf(lines), [`  ${'y'.repeat(LINE_MAX)} … (line cut here, it has 5,000 characters)`]);
  });

  it('leaves nothing hostile in a line', () => {
    const lines = new LogLines(noTime);
    lines.add(output('<script>alert(1)</script>\x1b[31m\u202e\0\r'));
    lines.add(record({ type: 'tool-call', name: 'Ba\nsh\x1b[2J', text: 'x\u2028y' }));
    assert.deepEqual(textOf(lines), ['  <script>alert(1)</script>⟨U+202E⟩␀␍', '▶ Ba␊sh  x⟨U+2028⟩y']);
    for (const text of textOf(lines)) assert.doesNotMatch(text, /[\0-\x08\n-\x1f\x7f-\x9f\u2028\u2029]/);
  });

  it('bounds what one record may bring', () => {
    const lines = new LogLines(noTime);
    lines.add(record({ type: 'assistant', text: '\n'.repeat(16 * 1024) }));
    assert.equal(lines.total, 2001);
    assert.equal(textOf(lines).at(-1), '… more lines were left out');
  });

  it('drops the oldest lines in large steps and goes on counting', () => {
    const lines = new LogLines({ ...noTime, maxLines: 100 });
    for (let n = 0; n < 250; n += 1) lines.add(output(`line ${n}`));
    assert.equal(lines.total, 250);
    assert.ok(lines.total - lines.dropped <= 100);
    assert.equal(lines.since(0)[0]?.text, `  line ${lines.dropped}`);
    assert.deepEqual(
      lines.since(248).map(({ text }) => text),
      ['  line 248', '  line 249'],
    );
    const characters = lines.since(0).reduce((sum, { text }) => sum + text.length + 1, 0);
    assert.equal(lines.characters, characters);
  });

  it('drops by size too, and never the last line', () => {
    const lines = new LogLines({ ...noTime, maxCharacters: 1000 });
    for (let n = 0; n < 50; n += 1) lines.add(output('z'.repeat(300)));
    assert.ok(lines.characters <= 1000);
    const one = new LogLines({ ...noTime, maxCharacters: 10 });
    one.add(output('w'.repeat(300)));
    assert.equal(one.since(0).length, 1);
  });

  it('knows which lines belong to a step and to a tool call', () => {
    const lines = new LogLines(noTime);
    lines.add(record({ type: 'status', name: 'source', text: 'cloning' }));
    lines.add(record({ type: 'status', name: 'source', text: 'source ready' }));
    lines.add(record({ type: 'status', name: 'start', text: 'started: agent' }));
    lines.add(record({ type: 'tool-call', id: 'a', name: 'Bash', text: 'make' }));
    lines.add(record({ type: 'tool-call', id: 'b', name: 'Read', text: 'Makefile' }));
    lines.add(record({ type: 'tool-result', id: 'b', text: 'all:\n\techo' }));
    lines.add(record({ type: 'tool-result', id: 'a', text: 'done', data: { isError: true } }));
    lines.add(record({ type: 'status', name: 'exit', text: 'exit code 0' }));
    assert.deepEqual(
      lines.sections.map(({ kind, title, first, last, failed }) => [kind, title, first, last, failed]),
      [
        ['step', 'source', 0, 1, false],
        ['step', 'start', 2, 7, false],
        ['tool', 'Bash', 3, 7, true],
        ['tool', 'Read', 4, 6, false],
        ['step', 'exit', 8, 8, false],
      ],
    );
  });

  it('takes 100,000 records in well under a second', () => {
    const lines = new LogLines({ formatTime: clockTime });
    const started = performance.now();
    for (let n = 0; n < 100_000; n += 1)
      lines.add(output(`line ${n} of a log that is quite ordinary otherwise`));
    assert.equal(lines.total, 100_000);
    assert.ok(performance.now() - started < 2000);
  });
});
