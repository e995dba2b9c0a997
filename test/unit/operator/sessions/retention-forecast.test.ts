/** What people are told before retention takes it. */
import assert from 'node:assert/strict';
import type { Session, SessionStatus } from '../../../../common/api/session.ts';
import { ObjectStore } from '../../../../common/kube/object-store.ts';
import { effectivePolicy } from '../../../../common/rules/policy/effective.ts';
import { RetentionForecasts } from '../../../../operator/sessions/retention-forecast.ts';
import { aSession } from '../../../support/fixtures.ts';

const AT = '2030-01-01T00:00:00Z';

describe('the forecast of retention', () => {
  it('counts what is kept beside artifacts, which goes with them', () => {
    const sessions = new ObjectStore<Session>({ cluster: 'test' });
    const made = (name: string, artifacts: SessionStatus['artifacts']): void =>
      void sessions.upsert(
        aSession(name)
          .in('team-a')
          .status({
            phase: 'Completed',
            conditions: [
              { type: 'Completed', status: 'True', reason: 'Succeeded', message: '', lastTransitionTime: AT },
            ],
            ...(artifacts && { artifacts }),
          })
          .build(),
      );
    made('a', { count: 1, totalBytes: 5, storedBytes: 12 });
    // Of an operator that did not count it.
    made('b', { count: 1, totalBytes: 5 });
    made('c', undefined);
    const policy = effectivePolicy(undefined);
    const forecasts = new RetentionForecasts({
      sessions,
      policies: { of: () => policy },
      now: () => new Date('2030-01-20T00:00:00Z'),
    });
    assert.deepEqual(
      forecasts.of('team-a', '2w').items.map(({ session, what, bytes }) => [session, what, bytes]),
      [
        ['a', 'artifacts', 12],
        ['b', 'artifacts', 5],
        ['c', 'artifacts', 0],
      ],
    );
  });
});
