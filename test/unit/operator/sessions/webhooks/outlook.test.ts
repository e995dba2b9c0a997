/** What a sender is told of when its session starts, and the name that a delivery gives it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Session } from '../../../../../common/api/session.ts';
import { derivedUuid } from '../../../../../operator/sessions/derived-uuid.ts';
import { outlookOf } from '../../../../../operator/sessions/webhooks/outlook.ts';
import { aSession } from '../../../../support/fixtures.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const at = (minutes: number): string => new Date(NOW + minutes * 60_000).toISOString();

/** Started so many minutes ago, with so many minutes to run. */
const running = (name: string, ago: number, timeout: number): Session =>
  aSession(name)
    .spec({ limits: { timeoutSeconds: timeout * 60, gracePeriodSeconds: 30 } })
    .status({
      phase: 'Running',
      workload: { startTime: at(-ago) },
      conditions: [
        { type: 'Admitted', status: 'True', reason: 'Admitted', message: '', lastTransitionTime: at(-ago) },
      ],
    })
    .build();
const waiting = (name: string): Session => aSession(name).pending().build();
const over = aSession('over').status({ phase: 'Completed' }).build();
const fresh = aSession('fresh').build();

describe('the outlook of a session that was just asked for', () => {
  const outlook = (others: Session[], maxSessions: number, needsApproval = false) =>
    outlookOf(fresh, others, { maxSessions, needsApproval, now: NOW });

  it('is now while there is room, whatever has ended', () => {
    assert.deepEqual(outlook([over, over], 1), { status: 'accepted', estimatedStartTime: at(0) });
    assert.deepEqual(outlook([running('a', 5, 60)], 2).status, 'accepted');
  });

  it('is when so many have run out of time, in line behind those that wait', () => {
    const busy = [running('a', 50, 60), running('b', 10, 30)];
    assert.deepEqual(outlook(busy, 2), { status: 'queued', estimatedStartTime: at(10) });
    assert.deepEqual(outlook([...busy, waiting('c')], 2), { status: 'queued', estimatedStartTime: at(20) });
    assert.deepEqual(outlook([...busy, ...'cdefg'.split('').map(waiting)], 2).estimatedStartTime, at(20));
  });

  it('is queued while somebody must approve, or nothing may run at all', () => {
    assert.deepEqual(outlook([], 5, true), { status: 'queued', estimatedStartTime: at(0) });
    assert.deepEqual(outlook([], 0), { status: 'queued', estimatedStartTime: at(0) });
  });

  it('is its start where it has started', () => {
    const started = running('fresh', 3, 60);
    assert.deepEqual(outlookOf(started, [started], { maxSessions: 1, needsApproval: false, now: NOW }), {
      status: 'accepted',
      estimatedStartTime: at(-3),
    });
  });
});

describe('the name of a session that a delivery starts', () => {
  const facts = fc.array(fc.string(), { minLength: 4, maxLength: 4 });

  it('is a UUID, the same for the same delivery, and another for any other', () => {
    fc.assert(
      fc.property(facts, facts, (a, b) => {
        const [one, other] = [derivedUuid('delivery', ...a), derivedUuid('delivery', ...b)];
        assert.match(one, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        assert.equal(one, derivedUuid('delivery', ...a));
        assert.equal(one === other, JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  it('stays what it was: a new version of the operator knows the deliveries of the one before', () => {
    assert.equal(
      derivedUuid('delivery', 'team-a', 'github', 'd-1', 'review'),
      'cddd9297-77a5-864a-bd67-14ca737fa712',
    );
  });
});
