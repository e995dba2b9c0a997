import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { RECORD_TEXT_MAX } from '../../../common/api/log.ts';
import type { LogRecord } from '../../../common/api/log.ts';
import { RUNNER_PATHS } from '../../../common/api/runner.ts';
import { RunnerEndpoint } from '../../support/runner-endpoint.ts';
import { RunnerPod } from '../../support/runner-process.ts';

const node = (script: string): string[] => [process.execPath, '-e', script];

/** Lines put together again from records that go on in the next. */
function linesOf(records: readonly LogRecord[], stream: 'stdout' | 'stderr'): string[] {
  const lines: string[] = [];
  let open = '';
  for (const record of records) {
    if (record.type !== 'output' || record.stream !== stream) continue;
    open += record.text;
    if (record.partial) continue;
    lines.push(open);
    open = '';
  }
  assert.equal(open, '', 'a partial record is followed by the rest of its line');
  return lines;
}

function assertGapFree(endpoint: RunnerEndpoint): void {
  assert.deepEqual(endpoint.violations, []);
  endpoint.records.forEach(({ seq }, index) => assert.equal(seq, index + 1));
  assert.equal(endpoint.results[0]?.lastSeq, endpoint.records.length);
}

describe('the log', function () {
  this.timeout(120_000); // real processes on a machine that may be busy
  it('loses and doubles no line of 50,000 while the operator is restarted, answers errors and loses answers', async () => {
    await using endpoint = await RunnerEndpoint.start();
    let posts = 0;
    endpoint.fault = (request) => {
      if (request.url !== RUNNER_PATHS.events) return undefined;
      posts++;
      if (posts % 7 === 3) return { drop: 'after' };
      if (posts % 7 === 5) return { drop: 'before' };
      if (posts % 11 === 4) return { status: posts % 2 === 0 ? 503 : 429 };
      return undefined;
    };
    await using pod = await RunnerPod.make({ endpoint });
    await pod.start(
      ...node(`
        let i = 0;
        const more = () => {
          for (let n = 0; n < 500 && i < 50000; n++) process.stdout.write('line ' + ++i + ' of the log\\n');
          if (i < 50000) setTimeout(more, 20);
        };
        more();`),
    );
    for (const at of [5_000, 20_000]) {
      await endpoint.until(() => endpoint.records.length > at);
      await endpoint.down();
      await sleep(700); // the restart of the operator
      await endpoint.up();
    }
    const end = await pod.ended();
    assert.equal(end.code, 0, end.stdout.slice(-500) + end.stderr);
    assertGapFree(endpoint);
    const lines = endpoint.texts('output');
    assert.equal(lines.length, 50_000);
    lines.forEach((line, index) => assert.equal(line, `line ${index + 1} of the log`));
    assert.ok(endpoint.resent > 0, 'answers were lost, so records came twice');
    assert.equal(endpoint.results.length, 1);
  });

  it('keeps everything on disk when the operator is away for all of the command, far more than fits in memory', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    let away = false;
    endpoint.fault = () => (away ? { status: 503 } : undefined);
    await pod.start(
      ...node(`
        const text = 'x'.repeat(990);
        let i = 0;
        const more = () => {
          while (i < 40000) if (!process.stdout.write(String(++i).padStart(9, '0') + ' ' + text + '\\n')) return process.stdout.once('drain', more);
        };
        console.log('first');
        setTimeout(more, 300);`),
    );
    await endpoint.until(() => endpoint.texts('output').length === 1);
    away = true;
    await endpoint.until(() => endpoint.requests.length > 8, 60_000);
    away = false;
    assert.equal((await pod.ended()).code, 0);
    assertGapFree(endpoint);
    const lines = endpoint.texts('output');
    assert.equal(lines.length, 40_001);
    lines
      .slice(1)
      .forEach((line, index) => assert.equal(line.slice(0, 9), String(index + 1).padStart(9, '0')));
  });

  it('splits a line of 5 MB into partial records that give it back, without breaking a character', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.run(...node(`process.stdout.write('a' + 'é€😀'.repeat(550000) + '\\nshort\\n')`));
    assertGapFree(endpoint);
    assert.deepEqual(linesOf(endpoint.records, 'stdout'), [`a${'é€😀'.repeat(550_000)}`, 'short']);
    for (const { text } of endpoint.records) assert.ok(Buffer.byteLength(text) <= RECORD_TEXT_MAX);
  });

  it('does not call a line partial that just fits', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.run(
      ...node(
        `const m = ${RECORD_TEXT_MAX}; process.stdout.write('y'.repeat(m) + '\\n' + 'z'.repeat(m + 1) + '\\n')`,
      ),
    );
    assert.deepEqual(
      endpoint.records
        .filter(({ type }) => type === 'output')
        .map(({ text, partial }) => [text.length, partial ?? false]),
      [
        [RECORD_TEXT_MAX, false],
        [RECORD_TEXT_MAX, true],
        [1, false],
      ],
    );
  });

  it('takes binary output: invalid bytes are replaced, no record is too long, nothing breaks', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    const end = await pod.run(
      'sh',
      '-c',
      'head -c 2000000 /dev/urandom; echo; printf "\\000\\033[31mred\\033[0m\\377\\n"; echo end',
    );
    assert.equal(end.code, 0);
    assertGapFree(endpoint);
    for (const { text } of endpoint.records) assert.ok(Buffer.byteLength(text) <= RECORD_TEXT_MAX);
    assert.deepEqual(endpoint.texts('output').slice(-2), ['\0\u001b[31mred\u001b[0m\ufffd', 'end']);
  });

  it('keeps a last line without line feed, empty lines, and takes carriage returns as they are', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.run('printf', '10%%\\r20%%\\rdone\\r\\n\\n\\nlast');
    assert.deepEqual(endpoint.texts('output'), ['10%\r20%\rdone', '', '', 'last']);
  });

  it('shows a line within a quarter of a second while the command goes on', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.start(
      ...node(`setInterval(() => console.log(Date.now()), 37); setTimeout(() => process.exit(), 4000)`),
    );
    await pod.ended();
    const origin = performance.timeOrigin;
    const delays = endpoint.records
      .flatMap(({ type, text }, index) =>
        type === 'output' ? [origin + (endpoint.storedAt[index] ?? Infinity) - Number(text)] : [],
      )
      .sort((a, b) => a - b);
    assert.ok(delays.length > 90);
    const half = delays[Math.floor(delays.length / 2)] ?? Infinity;
    // Others may have the machine for a moment, which then makes many lines late.
    assert.ok(half < 250, `half of the lines take ${half} ms or more`);
  });

  it('turns the lines of an ndjson framework into typed records, and leaves all others output', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint, description: { eventFormat: 'ndjson' } });
    const lines = [
      { type: 'assistant', text: 'Hello\nthere' },
      { type: 'tool-call', id: 't1', name: 'Write', text: '', data: { path: 'a.txt' } },
      { type: 'tool-call', id: 'i'.repeat(1000), text: 'x', extra: 'dropped', seq: 99, time: 'never' },
      { type: 'usage', data: { blob: 'x'.repeat(20_000) } },
      { type: 'thinking', text: 'é'.repeat(20_000) },
      { type: 'status', text: 'forged' },
      { type: 'assistant', message: { other: 'vocabulary' } },
      { type: 'unknown', text: 'kind' },
    ].map((line) => JSON.stringify(line));
    const all = [...lines, '{"type":', '[1]', 'plain'];
    await pod.run(
      ...node(
        `for (const l of ${JSON.stringify(all)}) console.log(l); console.error('{"type":"assistant","text":"no"}')`,
      ),
    );
    assertGapFree(endpoint);
    const typed = endpoint.records.filter(({ type }) => !['output', 'status'].includes(type));
    assert.deepEqual(
      typed.slice(0, 3).map(({ seq: _, time: __, ...rest }) => rest),
      [
        { type: 'assistant', text: 'Hello\nthere' },
        { type: 'tool-call', id: 't1', name: 'Write', text: '', data: { path: 'a.txt' } },
        { type: 'tool-call', id: 'i'.repeat(256), text: 'x' },
      ],
    );
    const cut = { blob: `${'x'.repeat(1000)}…`, truncated: true, bytes: 20_011 };
    assert.deepEqual(typed[3]?.data, cut);
    const thinking = typed.slice(4);
    assert.equal(thinking.map(({ text }) => text).join(''), 'é'.repeat(20_000));
    assert.deepEqual(
      thinking.map(({ partial }) => partial ?? false),
      [true, true, false],
    );
    assert.deepEqual(endpoint.texts('output', 'stdout'), all.slice(5));
    assert.deepEqual(endpoint.texts('output', 'stderr'), ['{"type":"assistant","text":"no"}']);
    assert.ok(!endpoint.texts('status').includes('forged'));
  });

  it('ends with a clear result when the store of the log stays full', async () => {
    await using endpoint = await RunnerEndpoint.start();
    let full = false;
    endpoint.fault = (request) => (full && request.url === RUNNER_PATHS.events ? { status: 507 } : undefined);
    await using pod = await RunnerPod.make({ endpoint, env: { AMBIENT_PATIENCE_SECONDS: '1' } });
    await pod.start('sh', '-c', 'echo one; until test -e go; do sleep 0.05; done; echo two');
    await endpoint.until(() => endpoint.texts('output').length === 1);
    full = true;
    await writeFile(`${pod.workspace}/go`, '');
    const end = await pod.ended();
    assert.equal(end.code, 74);
    assert.equal(endpoint.results[0]?.outcome, 'ArtifactsIncomplete');
    assert.match(endpoint.results[0].message, /end of the log could not be stored/);
  });

  it('gives up truthfully when the operator does not come back', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({
      endpoint,
      description: { limits: { timeoutSeconds: 2, gracePeriodSeconds: 0 } },
      env: { AMBIENT_PATIENCE_SECONDS: '1' },
    });
    await pod.start('sh', '-c', 'echo one; sleep 1; echo two; exit 3');
    await endpoint.until(() => endpoint.texts('output').length === 1);
    await endpoint.down();
    const end = await pod.ended();
    assert.equal(end.code, 71);
    const result = (await pod.terminationResult()) as { outcome: string; message: string; exitCode: number };
    assert.equal(result.outcome, 'RunnerError');
    assert.equal(result.exitCode, 3);
    assert.match(result.message, /could not be reported.*exit code 3/);
  });

  it('says so when the operator lost records that it had acknowledged', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await pod.start('sh', '-c', 'echo one; until test -e go; do sleep 0.05; done; echo two; sleep 60');
    await endpoint.until(() => endpoint.texts('output').length === 1);
    endpoint.records.length = 0;
    await writeFile(`${pod.workspace}/go`, '');
    const end = await pod.ended();
    assert.equal(end.code, 71);
    assert.match(((await pod.terminationResult()) as { message: string }).message, /lost records 1 to/);
  });
});
