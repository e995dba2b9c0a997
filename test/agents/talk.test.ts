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

  it('Claude Code asks whether it may use what the session does not allow yet, and heeds the answer', async () => {
    const write = (file: string) => ({
      tools: [{ name: 'Bash', input: { command: `tee ${file} < /dev/null` } }],
      tokens: { input: 20, output: 2 },
    });
    const run = await runAgentSession({
      framework: 'claude-code-chat',
      image: context,
      config: { prompt: 'Make some files.', tools: ['Bash(echo *)'] },
      spec: { limits: { timeoutSeconds: 100, gracePeriodSeconds: 10, idleSeconds: 5 } },
      answers: [
        write('allowed.txt'),
        write('always.txt'),
        // Not asked for again.
        write('always.txt'),
        write('denied.txt'),
        write('other.txt'),
        { text: 'Done.', tokens: { input: 30, output: 3 } },
      ],
      said: [
        { afterQuestions: 1, text: 'Allow' },
        { afterQuestions: 2, text: 'Always allow' },
        { afterQuestions: 3, text: 'Deny' },
        { afterQuestions: 4, text: 'Leave it now.' },
      ],
    });
    assert.equal(run.result?.outcome, 'Succeeded', run.stdout.slice(-3000));
    assert.deepEqual(
      run.records
        .filter(({ type }) => type === 'question')
        .map(({ text, data }) => [text, data?.['options']]),
      ['allowed', 'always', 'denied', 'other'].map((name) => [
        `May it use Bash (tee ${name}.txt < /dev/null)?`,
        ['Allow', 'Always allow', 'Deny'],
      ]),
    );
    assert.deepEqual(
      Object.keys(run.files).filter((name) => name.endsWith('.txt')),
      ['allowed.txt', 'always.txt'],
    );
    const last = JSON.stringify(run.asked.at(-1)?.body['messages']);
    assert.match(last, /ann does not allow it\.[^]*ann said instead: Leave it now\./);
    assert.deepEqual(run.strays, []);
  });
});
