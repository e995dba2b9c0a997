/** Talking with a real agent: it works, is told more, is told to leave off, and ends when nobody says anything. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Framework } from '../../common/api/framework.ts';
import { admit } from '../../common/rules/admission.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import { narrowedPolicy } from '../../common/rules/policy/narrow.ts';
import { describeRun } from '../../operator/controllers/session/run-description.ts';
import { buildTargets } from '../../scripts/build.ts';
import { frameworkContext } from '../../scripts/framework-images.ts';
import { aSession } from '../support/fixtures.ts';
import { canIsolate, runIsolatedSession } from '../support/provider/isolated.ts';
import { skipBecause } from '../support/skip.ts';

const manifest = join(import.meta.dirname, '../../manifests/frameworks/claude-code-chat.yaml');

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
    const framework = parse(await readFile(manifest, 'utf8')) as Framework;
    const session = aSession()
      .of('claude-code-chat', { prompt: 'Greet me.' })
      .spec({ limits: { timeoutSeconds: 100, gracePeriodSeconds: 10, idleSeconds: 5 } })
      .build();
    const admission = admit(session.spec, 1, [framework]);
    assert.ok(admission.accepted, admission.accepted ? '' : admission.message);
    const narrowed = narrowedPolicy(session.spec, effectivePolicy({}));
    const described = describeRun(session, admission.plan, { url: 'https://not-used', ca: '' }, narrowed);
    const { command, endpoint: _, ...description } = described;
    const run = await runIsolatedSession({
      answers: [
        { text: 'Hello.', tokens: { input: 10, output: 1 } },
        {
          tools: [{ name: 'Bash', input: { command: 'echo more > said.txt' } }],
          tokens: { input: 20, output: 2 },
        },
        { text: 'It is written.', tokens: { input: 30, output: 3 } },
      ],
      token: 'the-token-for-models',
      command: command.map((part) => part.replace(/^\/runner\//, `${context}/runner/`)),
      description,
      files: {},
      said: [{ afterAsked: 1, text: 'Write down that there is more.' }],
    });
    assert.deepEqual([run.violations, run.stderr], [[], '']);
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
