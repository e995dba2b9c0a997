/** Sessions as YAML: what is written reads back the same, and mistakes are named with their line. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Framework } from '../../../../common/api/framework.ts';
import { sessionManifest } from '../../../../extension/sessions/launch-answers.ts';
import { admissionProblem, parseSession, toYaml } from '../../../../extension/sessions/session-yaml.ts';

const session = sessionManifest(
  {
    cluster: 'dev',
    namespace: 'demo',
    framework: 'generic',
    config: { command: 'echo "a"\necho b: c # d\n', args: ['yes', '1', 'null', '- x'] },
    source: { type: 'git', url: 'https://example.com/x.git', ref: 'main' },
    limits: { memory: '1Gi' },
    displayName: '*anchor: &x',
  },
  'id',
);

describe('the YAML of a session', () => {
  it('reads back as it was, awkward values included', () => {
    const text = toYaml(session, { header: 'one\ntwo' });
    assert.match(text, /^# one\n# two\napiVersion: ambient\.ai\/v1alpha1\nkind: Session\nmetadata:\n/);
    const parsed = parseSession(text);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.session, session);
  });

  it('takes the samples of the project', () => {
    const samples = join(import.meta.dirname, '../../../../manifests/samples');
    for (const file of ['hello.yaml', 'git-report.yaml'])
      assert.equal(parseSession(readFileSync(join(samples, file), 'utf8')).ok, true, file);
  });

  const broken: [string, string, RegExp, number][] = [
    ['a tab', 'apiVersion: x\n\tkind: y\n', /tab/i, 1],
    ['another kind', 'apiVersion: ambient.ai/v1alpha1\nkind: Job\nspec: {}\n', /kind must be Session/, 1],
    ['another version', 'apiVersion: v1\nkind: Session\nspec: {}\n', /apiVersion must be/, 0],
    ['a missing spec', 'apiVersion: ambient.ai/v1alpha1\nkind: Session\n', /spec is missing/, 0],
    [
      'a missing framework',
      'apiVersion: ambient.ai/v1alpha1\nkind: Session\nspec:\n  displayName: x\n',
      /framework/,
      2,
    ],
    [
      'a wrong value deep inside',
      'apiVersion: ambient.ai/v1alpha1\nkind: Session\nspec:\n  framework:\n    type: generic\n  limits:\n    timeoutSeconds: 0\n    gracePeriodSeconds: 5\n',
      /spec\.limits\.timeoutSeconds/,
      6,
    ],
    ['a list', '- a\n', /not a Session/, 0],
    ['nothing', '', /not a Session/, 0],
    ['a doubled key', 'apiVersion: a\napiVersion: b\n', /unique/i, 1],
  ];
  for (const [what, text, message, line] of broken)
    it(`says what is wrong with ${what}, and where`, () => {
      const parsed = parseSession(text);
      assert.ok(!parsed.ok);
      assert.match(parsed.problems[0]?.message ?? '', message);
      assert.equal(parsed.problems[0]?.line, line);
    });

  it('foresees what the operator would refuse', () => {
    const generic: Framework = {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Framework',
      metadata: { name: 'generic' },
      spec: {
        versions: [{ name: '1', image: 'x' }],
        command: ['{{config.command}}'],
        configSchema: { type: 'object', required: ['command'], properties: { command: { type: 'string' } } },
      },
    };
    const plain = { ...session, spec: { framework: { type: 'generic', config: { command: 'x' } } } };
    assert.equal(admissionProblem(plain, [generic]), undefined);
    assert.equal(admissionProblem(plain, []), undefined, 'nothing is known without the registry');
    assert.match(
      admissionProblem({ ...plain, spec: { framework: { type: 'other' } } }, [generic]) ?? '',
      /no framework "other"/,
    );
    assert.match(
      admissionProblem({ ...plain, spec: { framework: { type: 'generic' } } }, [generic]) ?? '',
      /command/,
    );
  });
});
