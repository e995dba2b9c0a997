/** A policy's YAML: what it says, what is wrong in it and where, and what may be written next. */
import assert from 'node:assert/strict';
import { offersAt, toldAt } from '../../../../extension/objects/yaml-cursor.ts';
import { withVersion } from '../../../../extension/objects/yaml-version.ts';
import { POLICY_DOCUMENT } from '../../../../extension/policies/policy-schema.ts';
import { newPolicyText, parsePolicy, policyText } from '../../../../extension/policies/policy-yaml.ts';
import { aPolicy } from '../../../support/fixtures.ts';

const HEAD = `apiVersion: ambient.ai/v1alpha1
kind: NamespacePolicy
metadata:
  name: policy
  namespace: team-a
`;
/** `|` is the cursor. */
const offers = (text: string): string[] => {
  const whole = HEAD + text;
  return offersAt(POLICY_DOCUMENT, whole.replace('|', ''), whole.indexOf('|')).offers.map(
    ({ label }) => label,
  );
};
const problems = (text: string): string[] => {
  const parsed = parsePolicy(HEAD + text, 'team-a');
  const found = parsed.ok ? parsed.mistakes : parsed.problems;
  return found.map(({ message, from, to }) => `${(HEAD + text).slice(from, to)}: ${message}`);
};

describe('the YAML of a policy', () => {
  it('says the same as the object, and can be applied as it is', () => {
    const policy = aPolicy('team-a', {
      models: { budget: { monthly: '100.00' } },
      concurrency: { maxSessions: 3 },
    });
    const parsed = parsePolicy(policyText(policy), 'team-a');
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.object.spec, policy.spec);
    assert.equal(parsed.object.metadata.resourceVersion, '1');
    assert.equal(parsed.object.metadata.uid, undefined);
  });

  it('is valid to begin with where there is none', () => {
    const parsed = parsePolicy(newPolicyText('team-a'), 'team-a');
    assert.ok(parsed.ok, JSON.stringify(parsed));
    assert.equal(parsed.object.metadata.resourceVersion, undefined);
  });

  it('takes another version without touching what the person wrote', () => {
    const text = `# mine\n${HEAD}  resourceVersion: "7"\nspec: {} # as it was\n`;
    assert.equal(withVersion(text, '8'), text.replace('"7"', '"8"'));
    const without = `${HEAD}spec: {}\n`;
    assert.match(withVersion(without, '8'), /^metadata:\n {2}resourceVersion: "8"\n {2}name: policy$/m);
  });

  it('names each mistake at the place where it stands', () => {
    assert.deepEqual(problems('spec:\n  models:\n    budget:\n      monthly: 12\n      resetDay: 31\n'), [
      '12: spec.models.budget.monthly must be string',
      '31: spec.models.budget.resetDay must be <= 28',
    ]);
    assert.match(
      problems('spec:\n  model: {}\n')[0] ?? '',
      /^model: spec\.model is unknown; here may stand models, tools, network, isolation, inputs, results, approval/,
    );
    assert.match(
      problems('spec:\n  approval:\n    autoApprove:\n      triggers: [mail]\n')[0] ?? '',
      /^mail: .*triggers/,
    );
    assert.match(problems('spec:\n  models: [\n')[0] ?? '', /Flow sequence/);
    assert.match(problems('')[0] ?? '', /spec must be an object/);
  });

  it('holds on to the namespace it was opened for', () => {
    const parsed = parsePolicy(`${HEAD}spec: {}\n`, 'team-b');
    assert.ok(!parsed.ok);
    assert.match(parsed.problems[0]?.message ?? '', /metadata\.namespace must be team-b/);
  });

  it('warns of what contradicts itself, which does not keep it from being applied', () => {
    const parsed = parsePolicy(`${HEAD}spec:\n  models:\n    allowed: [a, b]\n    blocked: [b]\n`, 'team-a');
    assert.ok(parsed.ok);
    assert.match(parsed.mistakes[0]?.message ?? '', /^spec\.models\.allowed\[1\] "b" is allowed and blocked/);
  });

  it('is not led astray by what is no policy at all', () => {
    for (const text of ['', '[]', 'x', '&a [*a]', '- '.repeat(2000), 'a: &x [1]\nb: [*x, *x]'])
      assert.equal(parsePolicy(text, 'team-a').ok, false, text.slice(0, 20));
  });
});

describe('completion in a policy', () => {
  it('offers the fields that are not there yet', () => {
    assert.deepEqual(offers('spec:\n  |'), [
      'models',
      'tools',
      'network',
      'isolation',
      'inputs',
      'results',
      'approval',
      'retention',
      'notifications',
      'webhookAuth',
      'concurrency',
      'frameworks',
      'warmPods',
    ]);
    assert.deepEqual(offers('spec:\n  models:\n    budget:\n      monthly: "1.00"\n      |\n  tools: {}\n'), [
      'perSession',
      'currency',
      'resetDay',
    ]);
    assert.deepEqual(offers('spec:\n  tools:\n    restr|\n'), ['allowed', 'blocked', 'restrictions']);
    assert.deepEqual(offers('|'), ['spec']);
  });

  it('offers values of a field', () => {
    assert.deepEqual(offers('spec:\n  approval:\n    required: |\n'), ['true', 'false']);
    assert.deepEqual(offers('spec:\n  models:\n    budget:\n      currency: U|\n'), ['USD']);
    assert.deepEqual(offers('spec:\n  retention:\n    sessions: |\n'), ['"90d"']);
  });

  it('offers the items of a list', () => {
    assert.deepEqual(offers('spec:\n  approval:\n    autoApprove:\n      triggers:\n        - |\n'), [
      'github',
      'jira',
      'slack',
      'generic',
      'manual',
    ]);
    assert.deepEqual(offers('spec:\n  notifications:\n    webhooks:\n      - |\n'), [
      'url',
      'events',
      'headers',
      'secret',
    ]);
    assert.deepEqual(
      offers('spec:\n  notifications:\n    webhooks:\n      - url: https://x.example\n        |\n'),
      ['events', 'headers', 'secret'],
    );
  });

  it('offers nothing where it knows nothing', () => {
    assert.deepEqual(offers('spec:\n  nonsense:\n    |'), []);
    assert.deepEqual(offers('spec:\n  models:\n    allowed: [claude-|'), []);
  });

  it('says what a field means', () => {
    const text = `${HEAD}spec:\n  models:\n    budget:\n      monthly: "1.00"\n      resetDay: 3\n`;
    assert.match(
      toldAt(POLICY_DOCUMENT, text, text.indexOf('resetDay') + 2)?.text ?? '',
      /Day of month, UTC[^]*From 1 to 28[^]*Default: `1`/,
    );
    assert.match(
      toldAt(POLICY_DOCUMENT, text, text.indexOf('monthly'))?.text ?? '',
      /Per month, USD[^]*For example `"12\.50"`/,
    );
    assert.equal(toldAt(POLICY_DOCUMENT, text, text.indexOf('"1.00"') + 1), undefined);
  });
});
