/** A trigger's YAML: what it says, what is wrong in it and where, and what may be written next. */
import assert from 'node:assert/strict';
import type { SessionTrigger } from '../../../../common/api/session-trigger.ts';
import { offersAt, toldAt } from '../../../../extension/objects/yaml-cursor.ts';
import { TRIGGER_DOCUMENT } from '../../../../extension/triggers/trigger-schema.ts';
import { newTriggerText, parseTrigger, triggerText } from '../../../../extension/triggers/trigger-yaml.ts';
import { aFramework } from '../../../support/fixtures.ts';

const REF = { cluster: 'dev', namespace: 'team-a', name: 'review' };
const FRAMEWORKS = [
  aFramework('generic', { command: ['/bin/bash', '-c', '{{config.command}}', 'session', '{{config.args}}'] }),
];
const HEAD = `apiVersion: ambient.ai/v1alpha1
kind: SessionTrigger
metadata:
  name: review
  namespace: team-a
`;
/** `|` is the cursor. */
const offers = (text: string): string[] => {
  const whole = HEAD + text;
  return offersAt(TRIGGER_DOCUMENT, whole.replace('|', ''), whole.indexOf('|')).offers.map(
    ({ label }) => label,
  );
};
const problems = (text: string): string[] => {
  const parsed = parseTrigger(HEAD + text, REF, FRAMEWORKS);
  const found = parsed.ok ? parsed.mistakes : parsed.problems;
  return found.map(({ message, from, to }) => `${(HEAD + text).slice(from, to)}: ${message}`);
};

describe('the YAML of a trigger', () => {
  it('says the same as the object, and can be applied as it is', () => {
    const parsed = parseTrigger(newTriggerText(REF), REF, FRAMEWORKS);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.mistakes, [], 'the proposal has no mistake');
    const trigger: SessionTrigger = {
      ...parsed.object,
      metadata: { ...parsed.object.metadata, resourceVersion: '7', uid: 'u' },
      status: { sessions: { active: 0, total: 3 } },
    };
    const again = parseTrigger(triggerText(trigger), REF, FRAMEWORKS);
    assert.ok(again.ok);
    assert.deepEqual(again.object.spec, trigger.spec);
    assert.deepEqual([again.object.metadata.resourceVersion, again.object.metadata.uid], ['7', undefined]);
    assert.equal(again.object.status, undefined);
  });

  it('names mistakes where they stand', () => {
    assert.deepEqual(
      problems(
        'spec:\n  source: github\n  when:\n    evnts: [push]\n  session:\n    framework:\n      type: generic\n',
      ).map((each) => each.slice(0, 40)),
      ['evnts: spec.when.evnts is unknown; here '],
    );
    assert.deepEqual(
      problems(
        'spec:\n  source: github\n  when:\n    events: [push]\n  session:\n    framework:\n      type: generic\n      config:\n        command: "echo {{event.title}}"\n        args: ["{{event.titel}}"]\n',
      ).map((each) => each.slice(0, 80)),
      [
        '"{{event.titel}}": spec.session.framework.config.args[0] an event has no "titel"'.slice(0, 80),
        '"echo {{event.title}}": spec.session.framework.config.command would be run by bash'.slice(0, 80),
      ],
    );
    assert.match(
      problems('spec:\n  source: gitlab\n  session:\n    framework:\n      type: generic\n')[0] ?? '',
      /^gitlab: spec\.source/,
    );
    assert.match(
      problems('spec:\n  source: github\n  session:\n    framework:\n      type: gone\n').join('\n'),
      /^gone: spec\.session\.framework\.type there is no framework "gone"/m,
    );
  });

  it('is applied nowhere but where it was opened', () => {
    const other = HEAD.replace('name: review', 'name: another');
    const parsed = parseTrigger(`${other}spec: {}\n`, REF, FRAMEWORKS);
    assert.ok(!parsed.ok);
    assert.match(parsed.problems[0]?.message ?? '', /metadata\.name must be review/);
  });

  it('is completed from the schema', () => {
    assert.deepEqual(offers('spec:\n  source: |'), ['github', 'jira', 'slack', 'generic']);
    assert.deepEqual(offers('spec:\n  source: github\n  |').sort(), [
      'answer',
      'description',
      'enabled',
      'session',
      'when',
    ]);
    assert.ok(offers('spec:\n  when:\n    |').includes('notAuthors'));
    assert.deepEqual(offers('spec:\n  session:\n    framework:\n      |'), ['type', 'version', 'config']);
    const text = `${HEAD}spec:\n  when:\n    labels: [a]\n`;
    assert.match(
      toldAt(TRIGGER_DOCUMENT, text, text.indexOf('labels') + 1)?.text ?? '',
      /where a label was added/,
    );
  });
});
