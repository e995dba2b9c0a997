/** Talking with a real agent: it works, is told more, is told to leave off, and ends when nobody says anything. */
import assert from 'node:assert/strict';
import { buildTargets } from '../../scripts/build.ts';
import { frameworkContext } from '../../scripts/framework-images.ts';
import { runAgentSession } from '../support/provider/agent-session.ts';
import { canIsolate } from '../support/provider/isolated.ts';
import { skipBecause } from '../support/skip.ts';

describe('a conversation with a real agent', function () {
  this.timeout(300_000);
  let context: string;

  before(async function () {
    const can = await canIsolate();
    if (can !== true) skipBecause(this, can);
    await buildTargets(['runner']);
    context = await frameworkContext('claude-code', console.log);
  });

  it('Claude Code takes what is said meanwhile as part of one conversation, and ends by itself when idle', async () => {
    const run = await runAgentSession({
      framework: 'claude-code-chat',
      image: context,
      config: { prompt: 'Greet me.' },
      spec: { limits: { timeoutSeconds: 100, gracePeriodSeconds: 10, idleSeconds: 5 } },
      answers: [
        { text: 'Hello.', tokens: { input: 10, output: 1 } },
        {
          tools: [{ name: 'Bash', input: { command: 'echo more > said.txt' } }],
          tokens: { input: 20, output: 2 },
        },
        { text: 'It is written.', tokens: { input: 30, output: 3 } },
      ],
      said: [{ afterAsked: 1, text: 'Write down that there is more.' }],
    });
    assert.equal(run.result?.outcome, 'Succeeded', run.stdout.slice(-3000));
    const told = run.records
      .filter(({ type }) => type === 'assistant' || type === 'user')
      .map(({ type, name, text }) => (type === 'user' ? `${name ?? ''}: ${text}` : text));
    assert.deepEqual(told, ['Hello.', 'ann: Write down that there is more.', 'It is written.']);
    assert.equal(run.files['said.txt'], 'more\n');
    const last = JSON.stringify(run.asked.at(-1)?.body['messages']);
    assert.match(last, /Greet me\.[^]*Hello\.[^]*Write down that there is more\./);
    assert.ok(run.records.some(({ name, text }) => name === 'idle' && /input is closed/.test(text)));
    assert.deepEqual(run.strays, []);
  });
});
