/** The worked example of docs/frameworks.md does what the document says. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { FrameworkSpec } from '../../common/api/framework.ts';
import { admit } from '../../common/rules/admission.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import { narrowedPolicy } from '../../common/rules/policy/narrow.ts';
import { describeRun } from '../../operator/controllers/session/run-description.ts';
import { documentedFramework } from '../support/documented-framework.ts';
import type { DocumentedFramework } from '../support/documented-framework.ts';
import { aSession } from '../support/fixtures.ts';
import { canIsolate, runIsolatedSession } from '../support/provider/isolated.ts';
import { skipBecause } from '../support/skip.ts';

describe('the documented framework', function () {
  this.timeout(60_000);
  let example: DocumentedFramework;
  before(async () => (example = await documentedFramework()));

  it('fits the schema, and holds sessions to its own', () => {
    const { framework } = example;
    const errors = Compile(FrameworkSpec).Errors(framework.spec);
    assert.deepEqual([...errors], []);
    const refused = admit({ framework: { type: 'explain', config: { flie: 'a' } } }, 1, [framework]);
    assert.equal(refused.accepted, false);
    assert.match(refused.accepted ? '' : refused.message, /required properties file/);
  });

  it('explains a file, with the key and at the address it is given', async function () {
    const can = await canIsolate();
    if (can !== true) skipBecause(this, can);
    const { framework, program } = example;
    const folder = await mkdtemp(join(tmpdir(), 'explain-'));
    try {
      await writeFile(join(folder, program.name), program.text);
      const session = aSession().of('explain', { file: 'notes.txt' }).build();
      const admission = admit(session.spec, 1, [framework]);
      assert.ok(admission.accepted);
      const policy = narrowedPolicy(session.spec, effectivePolicy(undefined));
      const {
        command,
        endpoint: _,
        ...description
      } = describeRun(session, admission.plan, { url: 'https://not-used', ca: '' }, policy);
      const run = await runIsolatedSession({
        answers: [{ text: 'It greets.', tokens: { input: 30, output: 4 } }],
        token: 'the-key',
        command: command.map((part) => part.replace('/agent/', `${folder}/`)),
        description,
        files: { 'notes.txt': 'hello' },
      });
      assert.equal(run.result?.outcome, 'Succeeded', run.stdout + run.stderr);
      assert.deepEqual(
        run.asked.map(({ path, key, model }) => [path, key, model]),
        [['/v1/messages', 'the-key', 'claude-haiku-4-5']],
      );
      assert.deepEqual(
        run.records.filter(({ type }) => type !== 'status').map(({ type, text }) => `${type} ${text}`),
        ['tool-call notes.txt', 'tool-result 5 characters', 'assistant It greets.', 'usage '],
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
