/** Real agents, as npm has them, against a stand-in provider: what they print becomes the records of a log. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { LogRecord } from '../../common/api/log.ts';
import { translatorFor } from '../../runner/agents/formats.ts';
import type { AgentEvent } from '../../runner/agents/event.ts';
import { frameworkPrograms, PROGRAM } from '../../scripts/framework-programs.ts';
import type { FrameworkImage } from '../../scripts/framework-programs.ts';
import { canIsolate, runIsolated } from '../support/provider/isolated.ts';
import type { IsolatedPlan, IsolatedRun } from '../support/provider/isolated.ts';
import { skipBecause } from '../support/skip.ts';

const record = Compile(LogRecord);

/** Records of all lines, and the lines that are none. */
function translated(
  format: 'claude-stream-json' | 'codex-json',
  { stdout, workspace }: IsolatedRun,
  costs = true,
): { events: AgentEvent[]; output: string[] } {
  const translator = translatorFor(format, { workspace, costs });
  const events: AgentEvent[] = [];
  const output: string[] = [];
  for (const line of stdout.split('\n').filter((text) => text !== '')) {
    const told = translator?.line(line);
    if (told === undefined) output.push(line);
    else events.push(...told);
  }
  events.forEach((event, index) => {
    assert.ok(
      record.Check({ seq: index + 1, time: '2026-01-01T00:00:00Z', ...event }),
      JSON.stringify(event),
    );
  });
  return { events, output };
}

/** What a reader sees: type, name, first line. */
const seen = (events: readonly AgentEvent[]): string[] =>
  events
    .filter(({ type }) => type !== 'usage' && type !== 'status')
    .map(({ type, name, text }) => `${type} ${name ?? '-'}: ${text.split('\n')[0] ?? ''}`);

function sum(events: readonly AgentEvent[], name: string): number {
  return events
    .filter(({ type }) => type === 'usage')
    .reduce((total, { data }) => total + Number(data?.[name] ?? 0), 0);
}

describe('what real agents print', function () {
  this.timeout(300_000);
  const programs = new Map<FrameworkImage, string>();

  before(async function () {
    const can = await canIsolate();
    if (can !== true) skipBecause(this, can);
    for (const name of ['claude-code', 'codex'] as const)
      programs.set(name, join(await frameworkPrograms(name, console.log), PROGRAM[name]));
  });

  const claude = (answers: IsolatedPlan['answers']): Promise<IsolatedRun> =>
    runIsolated({
      answers,
      argv: [
        ...[
          programs.get('claude-code') ?? '',
          '-p',
          'Write the file.',
          '--output-format',
          'stream-json',
          '--verbose',
        ],
        ...['--model', 'claude-sonnet-4-5', '--permission-mode', 'acceptEdits', '--allowedTools', 'Bash'],
      ],
      env: {
        ANTHROPIC_BASE_URL: '{{provider}}/models/anthropic',
        ANTHROPIC_API_KEY: 'the-key',
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        IS_SANDBOX: '1',
      },
      files: {},
    });

  const codex = (answers: IsolatedPlan['answers']): Promise<IsolatedRun> =>
    runIsolated({
      answers,
      argv: [
        ...[programs.get('codex') ?? '', 'exec', '--json', '--skip-git-repo-check', '-m', 'gpt-5.5'],
        'Write the file.',
      ],
      env: { CODEX_HOME: '{{home}}/codex', KEY: 'the-key' },
      files: {
        'codex/config.toml': [
          'model_provider = "stand-in"\napproval_policy = "never"\nsandbox_mode = "danger-full-access"',
          '[model_providers.stand-in]\nname = "stand-in"\nbase_url = "{{provider}}/models/openai/v1"',
          'env_key = "KEY"\nwire_api = "responses"\n',
        ].join('\n'),
      },
    });

  it('Claude Code: text, thinking, tools, files changed, every token once', async () => {
    const run = await claude([
      {
        thinking: 'A file it shall be.',
        text: 'I write it.',
        tools: [{ name: 'Write', input: { file_path: '{{workspace}}/a.txt', content: 'hello\n' } }],
        tokens: { input: 10, output: 20, cacheRead: 30, cacheWrite: 40, thinking: 5 },
      },
      {
        tools: [
          { name: 'Bash', input: { command: 'cat a.txt; exit 3', description: 'look' } },
          {
            name: 'Edit',
            input: { file_path: '{{workspace}}/a.txt', old_string: 'hello', new_string: 'good day' },
          },
        ],
        tokens: { input: 11, output: 21 },
      },
      { text: 'Done.', tokens: { input: 12, output: 22 } },
    ]);
    assert.equal(run.code, 0, run.stderr + run.stdout.slice(-2000));
    assert.deepEqual([run.asked.map(({ key }) => key), run.strays], [Array(3).fill('the-key'), []]);
    const { events, output } = translated('claude-stream-json', run);
    assert.deepEqual(output, []);
    assert.deepEqual(seen(events), [
      'thinking -: A file it shall be.',
      'assistant -: I write it.',
      'tool-call Write: a.txt',
      `tool-result Write: File created successfully at: ${run.workspace}/a.txt (file state is current in your context — no need to Read it back)`,
      'file-change add: a.txt',
      'tool-call Bash: cat a.txt; exit 3',
      'tool-call Edit: a.txt',
      'tool-result Bash: Exit code 3',
      `tool-result Edit: The file ${run.workspace}/a.txt has been updated successfully. (file state is current in your context — no need to Read it back)`,
      'file-change update: a.txt',
      'assistant -: Done.',
    ]);
    const edit = events.find(({ type, name }) => type === 'file-change' && name === 'update');
    assert.equal(edit?.data?.['patch'], '@@ -1,1 +1,1 @@\n-hello\n+good day');
    const calls = events.filter(({ type }) => type === 'tool-call').map(({ id }) => id);
    const results = events.filter(({ type }) => type === 'tool-result').map(({ id }) => id);
    assert.deepEqual(calls, results);
    const kinds = ['inputTokens', 'outputTokens', 'cacheReadTokens', 'cacheWriteTokens'];
    assert.deepEqual(
      kinds.map((kind) => sum(events, kind)),
      [33, 68, 30, 40],
    );
    const result = JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '') as { total_cost_usd: number };
    assert.equal(sum(events, 'costUsd').toFixed(9), result.total_cost_usd.toFixed(9));
    assert.equal(sum(translated('claude-stream-json', run, false).events, 'costUsd'), 0);
    const init = events.find(({ type }) => type === 'status');
    assert.match(String(init?.data?.['conversation']), /^[0-9a-f-]{36}$/);
  });

  it('Claude Code: a refusal by the provider is an error in its words', async () => {
    const run = await claude(
      Array<IsolatedPlan['answers'][number]>(20).fill({
        status: 400,
        message: 'model is not for you',
        tokens: { input: 0, output: 0 },
      }),
    );
    assert.equal(run.code, 1);
    const { events, output } = translated('claude-stream-json', run);
    assert.deepEqual(output, []);
    assert.deepEqual(seen(events), [
      'error agent: API Error: 400 model is not for you',
      'error agent: ended after 1 turn: API Error: 400 model is not for you',
    ]);
  });

  it('Codex: text, thinking, tools, files changed, every token once', async () => {
    const run = await codex([
      {
        thinking: 'A file it shall be.',
        text: 'I write it.',
        tools: [
          {
            name: 'apply_patch',
            input: {},
            freeform: '*** Begin Patch\n*** Add File: a.txt\n+hello\n*** End Patch\n',
          },
        ],
        tokens: { input: 10, output: 20, cacheRead: 30, thinking: 5 },
      },
      {
        tools: [{ name: 'exec_command', input: { cmd: 'cat a.txt; exit 3' } }],
        tokens: { input: 11, output: 21 },
      },
      { text: 'Done.', tokens: { input: 12, output: 22 } },
    ]);
    assert.equal(run.code, 0, run.stderr + run.stdout);
    assert.deepEqual([run.asked.map(({ key }) => key), run.strays], [Array(3).fill('the-key'), []]);
    const { events, output } = translated('codex-json', run);
    assert.deepEqual(output, []);
    assert.deepEqual(seen(events), [
      'thinking -: A file it shall be.',
      'assistant -: I write it.',
      'tool-call apply_patch: a.txt',
      'tool-result apply_patch: completed',
      'file-change add: a.txt',
      "tool-call exec_command: /bin/bash -lc 'cat a.txt; exit 3'",
      'tool-result exec_command: hello',
      'assistant -: Done.',
    ]);
    const failed = events.find(({ type, name }) => type === 'tool-result' && name === 'exec_command');
    assert.deepEqual([failed?.data?.['isError'], failed?.data?.['exitCode']], [true, 3]);
    const kinds = ['inputTokens', 'outputTokens', 'cacheReadTokens', 'thinkingTokens'];
    assert.deepEqual(
      kinds.map((kind) => sum(events, kind)),
      [33, 68, 30, 5],
    );
  });

  it('Codex: a refusal by the provider is one error in its words', async () => {
    const run = await codex([
      { status: 400, message: 'model is not for you', tokens: { input: 0, output: 0 } },
    ]);
    assert.equal(run.code, 1);
    const { events, output } = translated('codex-json', run);
    assert.deepEqual([seen(events), output], [['error agent: model is not for you'], []]);
  });
});
