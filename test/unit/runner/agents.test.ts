/** Agents' own streams as records, where a real agent cannot be made to print them: what is broken, huge, unknown or hostile. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { LogRecord } from '../../../common/api/log.ts';
import { EVENT_LINE_MAX } from '../../../runner/agents/event.ts';
import type { AgentEvent } from '../../../runner/agents/event.ts';
import { translatorFor } from '../../../runner/agents/formats.ts';
import type { Translator } from '../../../runner/agents/translator.ts';
import { RunnerEndpoint } from '../../support/runner-endpoint.ts';
import { RunnerPod } from '../../support/runner-process.ts';

const record = Compile(LogRecord);
const FORMATS = ['claude-stream-json', 'codex-json'] as const;

function make(format: (typeof FORMATS)[number] | 'ndjson', costs = true): Translator {
  const translator = translatorFor(format, { workspace: '/workspace', costs });
  assert.ok(translator);
  return translator;
}

const told = (translator: Translator, line: unknown): AgentEvent[] | undefined =>
  translator.line(JSON.stringify(line));

function assertRecords(events: readonly AgentEvent[]): void {
  for (const event of events) {
    assert.ok(record.Check({ seq: 1, time: '2026-01-01T00:00:00Z', ...event }), JSON.stringify(event));
    // with the longest text a record can have, it stays below what the operator takes
    assert.ok(Buffer.byteLength(JSON.stringify({ ...event, text: '' })) < 26 * 1024);
  }
}

/** Lines that look like the formats: the words they use, with anything in the places of their values. */
const words = fc.constantFrom(
  ...['system', 'assistant', 'user', 'result', 'init', 'control_request', 'stream_event', 'text', 'thinking'],
  ...[
    'tool_use',
    'tool_result',
    'Write',
    'success',
    'thread.started',
    'turn.completed',
    'turn.failed',
    'error',
  ],
  ...['item.started', 'item.updated', 'item.completed', 'command_execution', 'file_change', 'mcp_tool_call'],
  ...['todo_list', 'web_search', 'agent_message', 'reasoning', 'a tool of tomorrow', '__proto__'],
);
const names = fc.constantFrom(
  ...['type', 'subtype', 'message', 'content', 'usage', 'modelUsage', 'id', 'name', 'input', 'item', 'items'],
  ...['tool_use_id', 'tool_use_result', 'structuredPatch', 'lines', 'changes', 'path', 'file_path', 'error'],
  ...['is_error', 'parent_tool_use_id', 'input_tokens', 'inputTokens', 'costUSD', 'request', 'questions'],
);
const { line: looksLike } = fc.letrec<{ value: unknown; line: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    words,
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.constantFrom(null, true, false, -1, 1e308),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('line'),
  ),
  line: fc.dictionary(names, tie('value'), { maxKeys: 8 }),
}));

describe('streams of agents', () => {
  for (const format of FORMATS) {
    it(`${format}: whatever the lines say, records fit the contract and nothing is thrown`, () => {
      fc.assert(
        fc.property(fc.array(looksLike, { maxLength: 10 }), (lines) => {
          const translator = make(format);
          for (const line of lines) assertRecords(told(translator, line) ?? []);
        }),
        { numRuns: 2000 },
      );
    });

    it(`${format}: lines of no or another format are left as output`, () => {
      const translator = make(format);
      for (const line of ['{', '{}', '[1]', '{"type":7}', '{"type":"tomorrow"}', '{"type":"item.completed"}'])
        assert.equal(translator.line(line), undefined, line);
      const deep = `{"type":"system","subtype":"x","message":"m","a":${'['.repeat(300_000)}${']'.repeat(300_000)}}`;
      assert.doesNotThrow(() => translator.line(deep));
    });
  }

  it('cuts what is too long for a record, and keeps what it was', () => {
    const translator = make('claude-stream-json');
    const content = 'é'.repeat(200_000);
    const line = {
      type: 'assistant',
      message: {
        id: 'm1',
        content: [
          { type: 'tool_use', id: 't1', name: 'Write', input: { file_path: '/workspace/a/b.txt', content } },
        ],
      },
    };
    const events = told(translator, line) ?? [];
    assertRecords(events);
    const [call] = events;
    assert.equal(call?.text, 'a/b.txt');
    const input = call.data?.['input'] as Record<string, string>;
    assert.equal(input['file_path'], '/workspace/a/b.txt');
    assert.ok((input['content']?.length ?? 0) < 2000);
    assert.equal(call.data?.['truncated'], true);
    assert.ok(String(call.data?.['raw']).startsWith('{"type":"assistant"'));
    assert.equal(call.data?.['rawBytes'], Buffer.byteLength(JSON.stringify(line)));
  });

  it('tells each token of Claude Code once over several turns, whatever was told before', () => {
    const counts = fc.nat({ max: 1_000_000 });
    const turn = fc.record({
      input: counts,
      output: counts,
      helper: counts,
      cost: fc.nat({ max: 10_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 6 }), (turns) => {
        const translator = make('claude-stream-json');
        const total = { input: 0, output: 0, helper: 0, cost: 0 };
        const events: AgentEvent[] = [];
        turns.forEach(({ input, output, helper, cost }, index) => {
          total.input += input;
          total.output += output;
          total.helper += helper;
          total.cost += cost;
          const message = {
            id: `m${index}`,
            model: 'large',
            usage: { input_tokens: input, output_tokens: 1 },
          };
          const answer = {
            type: 'assistant',
            message: { ...message, content: [{ type: 'text', text: 'x' }] },
          };
          events.push(...(told(translator, answer) ?? []), ...(told(translator, answer) ?? []));
          events.push(
            ...(told(translator, {
              ...{ type: 'result', subtype: 'success', is_error: false, num_turns: 1 },
              modelUsage: {
                large: { inputTokens: total.input, outputTokens: total.output, costUSD: total.cost / 1e6 },
                small: { inputTokens: total.helper },
              },
            }) ?? []),
          );
        });
        const sum = (model: string, name: string): number =>
          events
            .filter(({ type, data }) => type === 'usage' && data?.['model'] === model)
            .reduce((all, { data }) => all + Number(data?.[name] ?? 0), 0);
        assert.deepEqual(
          [sum('large', 'inputTokens'), sum('large', 'outputTokens'), sum('small', 'inputTokens')],
          [total.input, total.output, total.helper],
        );
        assert.ok(Math.abs(sum('large', 'costUsd') - total.cost / 1e6) < 1e-6);
      }),
    );
  });

  it('tells questions, helpers and refused tools of Claude Code', () => {
    const translator = make('claude-stream-json');
    const questions = [{ question: 'Which one?', options: [{ label: 'A' }] }];
    const asked = told(translator, {
      type: 'assistant',
      message: { content: [{ type: 'tool_use', id: 'q1', name: 'AskUserQuestion', input: { questions } }] },
    });
    assert.deepEqual(asked?.map(({ type, id, text }) => [type, id, text]).at(-1), [
      'question',
      'q1',
      'Which one?',
    ]);
    assert.deepEqual(asked.at(-1)?.data?.['questions'], questions);
    const permission = told(translator, {
      type: 'control_request',
      request_id: 'r1',
      request: { subtype: 'can_use_tool', tool_name: 'Bash', input: { command: 'ls' } },
    });
    assert.deepEqual(
      permission?.map(({ type, id, name, text }) => [type, id, name, text]),
      [['question', 'r1', 'Bash', 'May it use Bash (ls)?']],
    );
    const withdrawn = told(translator, { type: 'control_cancel_request', request_id: 'r1' });
    assert.deepEqual(
      withdrawn?.map(({ type, id, name }) => [type, id, name]),
      [['status', 'r1', 'question-withdrawn']],
    );
    const helper = told(translator, {
      type: 'assistant',
      parent_tool_use_id: 'task-1',
      message: { content: [{ type: 'text', text: 'found it' }] },
    });
    assert.equal(helper?.[0]?.data?.['parent'], 'task-1');
    told(translator, {
      type: 'assistant',
      message: { content: [{ type: 'tool_use', id: 'w1', name: 'Write', input: { file_path: '/etc/x' } }] },
    });
    const refused = told(translator, {
      type: 'user',
      message: {
        content: [{ type: 'tool_result', tool_use_id: 'w1', is_error: true, content: 'not allowed' }],
      },
    });
    assert.deepEqual(
      refused?.map(({ type, name, text }) => [type, name, text]),
      [['tool-result', 'Write', 'not allowed']],
    );
  });

  it('tells plans, searches and the tools of MCP servers of Codex', () => {
    const translator = make('codex-json');
    const items = [
      { text: 'one', completed: true },
      { text: 'two', completed: false },
    ];
    const plan = told(translator, { type: 'item.started', item: { id: 'i1', type: 'todo_list', items } });
    assert.deepEqual(
      plan?.map(({ type, name, text }) => [type, name, text]),
      [['tool-call', 'update_plan', '[x] one\n[ ] two']],
    );
    const search = told(translator, {
      type: 'item.completed',
      item: { id: 'i2', type: 'web_search', query: 'weather' },
    });
    assert.deepEqual(
      search?.map(({ type, text }) => [type, text]),
      [
        ['tool-call', 'weather'],
        ['tool-result', ''],
      ],
    );
    const called = { id: 'i3', type: 'mcp_tool_call', server: 's', tool: 't', status: 'failed' };
    told(translator, { type: 'item.started', item: { ...called, arguments: { a: 1 } } });
    const failed = told(translator, {
      type: 'item.completed',
      item: { ...called, error: { message: 'no such thing' } },
    });
    assert.deepEqual(
      failed?.map(({ type, name, text, data }) => [type, name, text, data?.['isError']]),
      [['tool-result', 'mcp__s__t', 'no such thing', true]],
    );
  });

  it('leaves out amounts that are measured elsewhere', () => {
    const line = { type: 'usage', text: '', data: { costUsd: '1.5', model: 'm' } };
    assert.equal(told(make('ndjson'), line)?.[0]?.data?.['costUsd'], '1.5');
    assert.deepEqual(told(make('ndjson', false), line)?.[0]?.data, { model: 'm' });
  });

  it('goes through the runner: records in order, what is no event as output', async function () {
    this.timeout(60_000);
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint, description: { eventFormat: 'claude-stream-json' } });
    const call = { type: 'tool_use', id: 't1', name: 'Bash', input: { command: 'ls' } };
    const lines = [
      'Reading settings…',
      JSON.stringify({
        type: 'assistant',
        message: { content: [{ type: 'text', text: 'y'.repeat(40_000) }, call] },
      }),
      '{"type":"assistant","message":',
      JSON.stringify({ type: 'stream_event' }),
    ];
    const script = `process.stdout.write(${JSON.stringify(lines.join('\n'))})`;
    const end = await pod.run(process.execPath, '-e', script);
    assert.equal(end.code, 0, end.stderr);
    assert.deepEqual(endpoint.violations, []);
    const records = endpoint.records.filter(({ type }) => type !== 'status');
    assert.deepEqual(
      records.map(({ type, partial }) => `${type}${partial === true ? '…' : ''}`),
      ['output', 'assistant…', 'assistant…', 'assistant', 'tool-call', 'output'],
    );
    assert.equal(
      records
        .filter(({ type }) => type === 'assistant')
        .map(({ text }) => text)
        .join(''),
      'y'.repeat(40_000),
    );
    assert.equal(records.at(-1)?.text, lines[2]);
  });

  it('takes no end of a line that is too long for an event, whatever stands there', async function () {
    this.timeout(60_000);
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint, description: { eventFormat: 'ndjson' } });
    const event = JSON.stringify({ type: 'assistant', text: 'said' });
    const script = `process.stdout.write('x'.repeat(${EVENT_LINE_MAX}) + '${event}\\n${event}\\n')`;
    await pod.run(process.execPath, '-e', script);
    const records = endpoint.records.filter(({ type }) => type !== 'status');
    assert.equal(records.filter(({ type }) => type === 'assistant').length, 1);
    assert.equal(records.at(-2)?.text, event);
    assert.equal(records.at(-1)?.type, 'assistant');
  });
});
