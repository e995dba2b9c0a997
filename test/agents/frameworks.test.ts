/** The frameworks of vendors' agents as their images hold them: runner, start, agent; models behind the operator's address. */
import assert from 'node:assert/strict';
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import { buildTargets } from '../../scripts/build.ts';
import { frameworkContext } from '../../scripts/framework-images.ts';
import { FRAMEWORK_IMAGES } from '../../scripts/framework-programs.ts';
import type { FrameworkImage } from '../../scripts/framework-programs.ts';
import { AGENT_TOKEN, runAgentSession } from '../support/provider/agent-session.ts';
import { canIsolate } from '../support/provider/isolated.ts';
import type { SessionPlan, SessionRun } from '../support/provider/isolated.ts';
import { skipBecause } from '../support/skip.ts';

describe('frameworks of real agents', function () {
  this.timeout(300_000);
  const contexts = new Map<FrameworkImage, string>();

  before(async function () {
    const can = await canIsolate();
    if (can !== true) skipBecause(this, can);
    await buildTargets(['runner']);
    for (const name of FRAMEWORK_IMAGES) contexts.set(name, await frameworkContext(name, console.log));
  });

  const session = (
    framework: FrameworkImage,
    config: Record<string, unknown>,
    answers: SessionPlan['answers'],
    policy: NamespacePolicySpec = {},
    files: Record<string, string> = {},
  ): Promise<SessionRun> =>
    runAgentSession({ framework, image: contexts.get(framework) ?? '', config, answers, policy, files });

  const typesOf = ({ records }: SessionRun): string[] => [
    ...new Set(records.filter(({ type }) => type !== 'status').map(({ type }) => type)),
  ];
  const total = ({ records }: SessionRun, name: string): number =>
    records
      .filter(({ type }) => type === 'usage')
      .reduce((sum, { data }) => sum + Number(data?.[name] ?? 0), 0);

  it('Claude Code edits the source with its key and address from the runner, and costs are left to the gateway', async () => {
    const run = await session(
      'claude-code',
      { prompt: '--help me with notes.txt', systemPrompt: 'Be brief.', maxTurns: 20 },
      [
        {
          text: 'I look.',
          tools: [{ name: 'Bash', input: { command: 'sed -i s/old/new/ notes.txt && cat notes.txt' } }],
          tokens: { input: 100, output: 10, cacheWrite: 7 },
        },
        { text: 'It says new now.', tokens: { input: 110, output: 12, cacheRead: 7 } },
      ],
      {},
      { 'notes.txt': 'old text\n' },
    );
    assert.equal(run.result?.outcome, 'Succeeded', run.stdout.slice(-3000) + run.stderr);
    assert.equal(run.files['notes.txt'], 'new text\n');
    assert.match(run.patch, /^-old text\n\+new text$/m);
    assert.deepEqual(typesOf(run), ['assistant', 'usage', 'tool-call', 'tool-result']);
    const [first] = run.asked;
    // What the gateway refuses is not asked for.
    assert.ok(first?.tools.includes('Bash') && !first.tools.includes('WebSearch'), first?.tools.join());
    assert.equal(first?.model, 'claude-sonnet-4-5');
    assert.deepEqual([...new Set(run.asked.map(({ key }) => key))], [AGENT_TOKEN]);
    assert.match(JSON.stringify(first?.body['system']), /Be brief\./);
    assert.match(JSON.stringify(first?.body['messages']), /--help me with notes\.txt/);
    const kinds = ['inputTokens', 'outputTokens', 'cacheReadTokens', 'cacheWriteTokens', 'costUsd'];
    assert.deepEqual(
      kinds.map((kind) => total(run, kind)),
      [210, 22, 7, 7, 0],
    );
    assert.deepEqual(run.strays, []);
  });

  it('Claude Code is not offered the tools that policy takes away, and cannot use them', async () => {
    const policy = { tools: { allowed: ['Read', 'Write', 'Edit', 'Bash'], blocked: ['Bash'] } };
    const run = await session(
      'claude-code',
      { prompt: 'go' },
      [
        {
          tools: [{ name: 'Bash', input: { command: 'touch forbidden.txt' } }],
          tokens: { input: 1, output: 1 },
        },
        { text: 'I could not.', tokens: { input: 1, output: 1 } },
      ],
      policy,
      // What a repository may bring to get more than it should have.
      { '.claude/settings.json': JSON.stringify({ permissions: { allow: ['Bash'] } }) },
    );
    assert.deepEqual([...(run.asked[0]?.tools ?? [])].sort(), ['Edit', 'Read', 'Write']);
    assert.equal(run.files['forbidden.txt'], undefined);
    const result = run.records.find(({ type }) => type === 'tool-result');
    assert.equal(result?.data?.['isError'], true);
    assert.match(result.text, /No such tool available: Bash/);
  });

  it('Claude Code executes nothing where policy restricts execution, a hook of the repository included', async () => {
    const hooks = { SessionStart: [{ hooks: [{ type: 'command', command: 'touch hooked.txt' }] }] };
    const start = (policy: NamespacePolicySpec): Promise<SessionRun> =>
      session('claude-code', { prompt: 'go' }, [{ text: 'Hm.', tokens: { input: 1, output: 1 } }], policy, {
        '.claude/settings.json': JSON.stringify({ hooks }),
      });
    const free = await start({});
    assert.ok('hooked.txt' in free.files, 'otherwise this proves nothing');
    const run = await start({ tools: { restrictions: { execution: true } } });
    assert.equal(run.result?.outcome, 'Succeeded', run.stdout.slice(-3000));
    assert.ok(!('hooked.txt' in run.files));
    for (const tool of ['Bash', 'Monitor', 'Workflow', 'Skill'])
      assert.ok(!run.asked[0]?.tools.includes(tool), tool);
  });

  it('Claude Code may use only what the session asks for', async () => {
    const run = await session('claude-code', { prompt: 'go', tools: ['Bash(git *)', 'Read'] }, [
      {
        tools: [
          { name: 'Bash', input: { command: 'git --version' } },
          { name: 'Bash', input: { command: 'touch forbidden.txt' } },
        ],
        tokens: { input: 1, output: 1 },
      },
      { text: 'Done.', tokens: { input: 1, output: 1 } },
    ]);
    assert.deepEqual([...(run.asked[0]?.tools ?? [])].sort(), ['Bash', 'Read']);
    const results = run.records.filter(({ type }) => type === 'tool-result');
    assert.deepEqual(
      results.map(({ data }) => data?.['isError'] === true),
      [false, true],
    );
    assert.equal(run.files['forbidden.txt'], undefined);
  });

  it('Codex edits the source with its key and address from the runner', async () => {
    const run = await session(
      'codex',
      { prompt: '--help me with notes.txt', systemPrompt: 'Be "brief".\n', reasoningEffort: 'high' },
      [
        {
          thinking: 'A patch.',
          tools: [
            {
              name: 'apply_patch',
              input: {},
              freeform:
                '*** Begin Patch\n*** Update File: notes.txt\n@@\n-old text\n+new text\n*** End Patch\n',
            },
          ],
          tokens: { input: 100, output: 10, thinking: 5 },
        },
        {
          tools: [{ name: 'exec_command', input: { cmd: 'cat notes.txt' } }],
          tokens: { input: 110, output: 12, cacheRead: 7 },
        },
        { text: 'It says new now.', tokens: { input: 120, output: 14 } },
      ],
      {},
      { 'notes.txt': 'old text\n' },
    );
    assert.equal(run.result?.outcome, 'Succeeded', run.stdout.slice(-3000) + run.stderr);
    assert.equal(run.files['notes.txt'], 'new text\n');
    assert.match(run.patch, /^-old text\n\+new text$/m);
    assert.deepEqual(
      typesOf(run).filter((type) => type !== 'output'),
      [...['thinking', 'tool-call', 'tool-result', 'file-change', 'assistant', 'usage']],
    );
    const [first] = run.asked;
    assert.ok(first?.tools.includes('exec_command') && !first.tools.includes('web_search'));
    assert.equal(first?.model, 'gpt-5.5');
    assert.equal((first?.body['reasoning'] as { effort: string }).effort, 'high');
    assert.deepEqual([...new Set(run.asked.map(({ key }) => key))], [AGENT_TOKEN]);
    assert.match(JSON.stringify(first?.body['input']), /Be \\"brief\\"/);
    assert.match(JSON.stringify(first?.body['input']), /--help me with notes\.txt/);
    const kinds = ['inputTokens', 'outputTokens', 'cacheReadTokens', 'thinkingTokens'];
    assert.deepEqual(
      kinds.map((kind) => total(run, kind)),
      [330, 41, 7, 5],
    );
  });

  it('Codex is not offered the tools that policy takes away, and cannot use them', async () => {
    const run = await session(
      'codex',
      { prompt: 'go' },
      [
        {
          tools: [{ name: 'exec_command', input: { cmd: 'touch forbidden.txt' } }],
          tokens: { input: 1, output: 1 },
        },
        { text: 'I could not.', tokens: { input: 1, output: 1 } },
      ],
      { tools: { blocked: ['web_search', '*goal*'], restrictions: { execution: true } } },
    );
    const offered = run.asked[0]?.tools ?? [];
    for (const tool of ['exec_command', 'write_stdin', 'web_search', 'get_goal', 'create_goal'])
      assert.ok(!offered.includes(tool), `${tool} in ${offered.join()}`);
    assert.ok(offered.includes('apply_patch'));
    assert.equal(run.files['forbidden.txt'], undefined);
  });
});
