/** The samples of triggers, each held against an event as its sender documents it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { parse } from 'yaml';
import type { Framework } from '../../../common/api/framework.ts';
import { SessionSpec } from '../../../common/api/session.ts';
import { SessionTriggerSpec } from '../../../common/api/session-trigger.ts';
import type { SessionTrigger } from '../../../common/api/session-trigger.ts';
import { effectivePolicy } from '../../../common/rules/policy/effective.ts';
import { triggerMistakes } from '../../../common/rules/triggers/mistakes.ts';
import { planDelivery } from '../../../common/rules/triggers/plan.ts';
import type { TriggerPlan } from '../../../common/rules/triggers/plan.ts';
import { webhookPayload, WEBHOOK_PAYLOADS } from '../../support/webhook-payloads.ts';

const manifests = join(import.meta.dirname, '..', '..', '..', 'manifests');
const folder = join(manifests, 'samples', 'triggers');
const frameworks = [parse(readFileSync(join(manifests, 'frameworks', 'generic.yaml'), 'utf8')) as Framework];
const samples = readdirSync(folder).map((file) => ({
  file,
  trigger: parse(readFileSync(join(folder, file), 'utf8')) as SessionTrigger,
}));

/** What each sample makes: of which event, the arguments that its command gets, and its title. */
const MAKES: Record<string, { payload: string; title: string; args: string[] }> = {
  'pull-request-review.yaml': {
    payload: 'github-pull_request-opened',
    title: 'Review of #42: Round prices to whole cents',
    args: ['42', 'mallory', 'Round prices to whole cents'],
  },
  'issue-labeled.yaml': {
    payload: 'github-issues-labeled',
    title: 'Issue #41: Prices are shown with three decimals',
    args: [
      'Prices are shown with three decimals',
      'On the cart page a price reads 12.345 €.\n\n1. Put two of anything in the cart\n2. Look',
    ],
  },
  'jira-transition.yaml': {
    payload: 'jira-issue_updated-transition',
    title: 'SHOP-41 Prices are shown with three decimals',
    args: [
      'SHOP-41',
      'Prices are shown with three decimals',
      'On the cart page a price reads 12.345 €.',
      'https://acme.atlassian.net/browse/SHOP-41',
    ],
  },
  'slack-mention.yaml': {
    payload: 'slack-app_mention',
    title: 'Slack: why is the price on the cart page wrong?',
    args: ['why is the price on the cart page wrong?\nIt reads 12.345 €'],
  },
};

describe('samples of triggers', () => {
  const validator = Compile(SessionTriggerSpec);
  const session = Compile(SessionSpec);
  const planOf = (trigger: SessionTrigger, payload: string): TriggerPlan => {
    const { triggers } = planDelivery({
      delivery: webhookPayload(payload),
      deliveryId: 'd-1',
      triggers: [trigger],
      frameworks,
      policy: effectivePolicy(undefined),
      nonce: '0123456789abcdef',
    });
    return triggers[0] ?? assert.fail();
  };

  it('are those that are written about', () => {
    assert.deepEqual(samples.map(({ file }) => file).toSorted(), Object.keys(MAKES).toSorted());
  });

  for (const { file, trigger } of samples)
    describe(file, () => {
      it('fits the schema, and has no mistake', () => {
        const problems = [...validator.Errors(trigger.spec)];
        assert.deepEqual(
          problems.map(({ instancePath, message }) => `${instancePath} ${message}`),
          [],
        );
        assert.deepEqual(triggerMistakes(trigger.spec, frameworks), []);
        assert.equal(trigger.metadata.name, file.replace(/\.yaml$/, ''));
      });

      it('makes a session of its event', () => {
        const { payload, title, args } = MAKES[file] ?? assert.fail(`nothing is known of ${file}`);
        const plan = planOf(trigger, payload);
        assert.deepEqual([plan.reasons, plan.mistakes, plan.violations], [[], [], []]);
        assert.equal(plan.spec?.displayName, title);
        assert.deepEqual(plan.spec.framework.config?.['args'], args);
        assert.deepEqual([...session.Errors(plan.spec)], []);
      });

      it('makes none of any other event, and says why', () => {
        for (const payload of WEBHOOK_PAYLOADS) {
          if (payload === MAKES[file]?.payload) continue;
          const { matched, reasons } = planOf(trigger, payload);
          assert.equal(matched, false, payload);
          assert.ok(
            reasons.every(({ message }) => message.length > 20),
            payload,
          );
        }
      });
    });
});
