import assert from 'node:assert/strict';
import { MODEL_PROVIDERS } from '../../../../../common/api/models.ts';
import { AmbientError, CATALOGUE } from '../../../../../common/errors.ts';
import type { ErrorCode } from '../../../../../common/errors.ts';
import { answerOf, ModelRefusals } from '../../../../../operator/sessions/models/refusals.ts';
import { CollectedAudit } from '../../../../support/audit.ts';
import { aSession } from '../../../../support/fixtures.ts';

describe('refused calls of models', () => {
  it('are answered as each provider would, with the reason, and final unless trying again may help', () => {
    const error = new AmbientError('policy_violation', 'No such model.');
    assert.deepEqual(answerOf('anthropic', error, 't1').body, {
      type: 'error',
      error: { type: 'permission_error', message: 'No such model.' },
      request_id: 't1',
    });
    assert.deepEqual(answerOf('openai', error, 't1').body, {
      error: {
        message: 'No such model.',
        type: 'permission_error',
        param: null,
        code: 'policy_violation',
      },
    });
    assert.deepEqual(answerOf('gemini', error, 't1').body, {
      error: { code: 403, message: 'No such model.', status: 'PERMISSION_DENIED' },
    });
    const paused = new AmbientError('rate_limit_exceeded', 'Wait.', { details: { retryAfterSeconds: 15 } });
    const { status, headers } = answerOf('anthropic', paused, 't1');
    assert.deepEqual([status, headers], [429, { 'retry-after': '15', 'x-should-retry': 'true' }]);
    assert.equal(answerOf('openai', new AmbientError('already_finished', 'Over.'), 't').status, 403);
  });

  it('have an answer for every error there is', () => {
    for (const provider of MODEL_PROVIDERS)
      for (const code of Object.keys(CATALOGUE) as ErrorCode[]) {
        const { status, body } = answerOf(provider, new AmbientError(code, 'said'), 't');
        assert.ok(status >= 400 && status < 600);
        assert.ok(JSON.stringify(body).includes('said'));
      }
  });

  it('are on record where a rule has refused them, and counted where there are many', async () => {
    const audit = new CollectedAudit();
    let now = 1_900_000_000_000;
    const refusals = new ModelRefusals({ audit, now: () => now, onError: assert.ifError });
    const session = aSession('s1').build();
    const note = (code: ErrorCode): void =>
      refusals.note({
        session,
        provider: 'openai',
        model: 'gpt-x\n',
        error: new AmbientError(code, 'said'),
        traceId: 't',
      });
    note('provider_unavailable');
    note('invalid_request');
    assert.equal(audit.lines.length, 0);
    for (let times = 0; times < 50; times++) note('policy_violation');
    assert.equal(audit.events.length, 20);
    now += 60_000;
    note('budget_exceeded');
    const last = audit.events.at(-1);
    assert.deepEqual(
      [last?.actor, last?.sessionId, last?.outcome, last?.details],
      [
        'session:s1',
        's1',
        'denied',
        {
          door: 'models',
          provider: 'openai',
          model: 'gpt-x',
          code: 'budget_exceeded',
          reason: 'said',
          suppressed: 30,
        },
      ],
    );
  });
});
