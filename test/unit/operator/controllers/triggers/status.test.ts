/** The status of a trigger, from sessions and frameworks a test makes; test/operator/triggers.test.ts has a real API server. */
import assert from 'node:assert/strict';
import { API_VERSION } from '../../../../../common/api/names.ts';
import type { Session } from '../../../../../common/api/session.ts';
import type { SessionTrigger, SessionTriggerStatus } from '../../../../../common/api/session-trigger.ts';
import { byTrigger } from '../../../../../operator/controllers/triggers/index.ts';
import { statusOf } from '../../../../../operator/controllers/triggers/status.ts';
import { aFramework, aSession } from '../../../../support/fixtures.ts';

const NOW = Date.parse('2030-01-02T00:00:00Z');

const aTrigger = (status?: SessionTriggerStatus): SessionTrigger => ({
  apiVersion: API_VERSION,
  kind: 'SessionTrigger',
  metadata: { name: 'review', namespace: 'team-a', generation: 3 },
  spec: { source: 'slack', when: { events: ['app_mention'] }, session: { framework: { type: 'generic' } } },
  ...(status && { status }),
});
function made(name: string, at: string, phase: 'Running' | 'Completed' = 'Running'): Session {
  const session = aSession(name)
    .in('team-a')
    .spec({ trigger: { source: 'slack', name: 'review', delivery: `of-${name}` } })
    .status({ phase })
    .build();
  session.metadata.creationTimestamp = at;
  return session;
}
const status = (before: SessionTriggerStatus | undefined, sessions: Session[]): SessionTriggerStatus =>
  statusOf(aTrigger(before), { frameworks: [aFramework()], sessions, now: NOW });

describe('the status of a trigger', () => {
  it('counts what it made and names the newest', () => {
    const found = status(undefined, [
      made('b', '2030-01-01T00:00:02Z'),
      made('a', '2030-01-01T00:00:01Z', 'Completed'),
    ]);
    assert.deepEqual(found, {
      observedGeneration: 3,
      lastMatched: { time: '2030-01-01T00:00:02Z', session: 'b', delivery: 'of-b' },
      sessions: { active: 1, total: 2 },
      conditions: [
        {
          type: 'Valid',
          status: 'True',
          reason: 'Valid',
          message: 'The trigger is in effect.',
          lastTransitionTime: '2030-01-02T00:00:00Z',
          observedGeneration: 3,
        },
      ],
    });
  });

  it('comes out the same whatever the order, also of those of one second', () => {
    const sessions = ['a', 'b', 'c'].map((name) => made(name, '2030-01-01T00:00:01Z'));
    for (const order of [sessions, sessions.toReversed()])
      assert.equal(status(undefined, order).lastMatched?.session, 'c');
    const first = status(undefined, sessions);
    assert.deepEqual(status(first, sessions), first);
  });

  it('remembers what is gone', () => {
    const first = status(undefined, [made('b', '2030-01-01T00:00:02Z')]);
    const after = status(first, [made('a', '2030-01-01T00:00:01Z')]);
    assert.equal(after.lastMatched?.session, 'b');
    assert.deepEqual(after.sessions, { active: 1, total: 1 });
  });

  it('finds sessions by the trigger they name', () => {
    assert.deepEqual(byTrigger(made('a', NOW.toString())), ['team-a/review']);
    assert.deepEqual(byTrigger(aSession().build()), []);
  });
});
