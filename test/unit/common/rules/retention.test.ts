import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Session, SessionStatus } from '../../../../common/api/session.ts';
import {
  beginOf,
  dueOf,
  endOf,
  expiryOf,
  finishedAt,
  parsePeriod,
} from '../../../../common/rules/retention.ts';
import { aSession } from '../../../support/fixtures.ts';

const after = (from: string, text: string): string => {
  const period = parsePeriod(text);
  assert.ok(period !== undefined, text);
  const end = endOf(period, Date.parse(from));
  return Number.isFinite(end) ? new Date(end).toISOString().replace('.000Z', 'Z') : 'never';
};

const finished = (at: string, more: SessionStatus = {}): Session =>
  aSession()
    .running()
    .status({
      phase: 'Completed',
      conditions: [
        { type: 'Completed', status: 'True', reason: 'Succeeded', message: '', lastTransitionTime: at },
      ],
      ...more,
    })
    .build();

const CASES: [from: string, period: string, end: string][] = [
  ['2030-01-01T00:00:00Z', '0d', '2030-01-01T00:00:00Z'],
  ['2030-01-01T12:30:15Z', '1d', '2030-01-02T12:30:15Z'],
  ['2030-01-01T00:00:00Z', '30d', '2030-01-31T00:00:00Z'],
  ['2028-02-28T10:00:00Z', '1d', '2028-02-29T10:00:00Z'],
  ['2030-02-28T10:00:00Z', '1d', '2030-03-01T10:00:00Z'],
  ['2030-12-30T00:00:00Z', '1w', '2031-01-06T00:00:00Z'],
  ['2030-03-30T01:30:00Z', '2w', '2030-04-13T01:30:00Z'],
  ['2030-01-31T23:59:59Z', '1m', '2030-02-28T23:59:59Z'],
  ['2028-01-31T23:59:59Z', '1m', '2028-02-29T23:59:59Z'],
  ['2030-01-31T00:00:00Z', '2m', '2030-03-31T00:00:00Z'],
  ['2030-01-31T00:00:00Z', '3m', '2030-04-30T00:00:00Z'],
  ['2030-11-30T00:00:00Z', '3m', '2031-02-28T00:00:00Z'],
  ['2030-12-31T00:00:00Z', '12m', '2031-12-31T00:00:00Z'],
  ['2030-05-15T08:00:00Z', '25m', '2032-06-15T08:00:00Z'],
  ['2028-02-29T08:00:00Z', '1y', '2029-02-28T08:00:00Z'],
  ['2028-02-29T08:00:00Z', '4y', '2032-02-29T08:00:00Z'],
  ['2096-02-29T00:00:00Z', '4y', '2100-02-28T00:00:00Z'],
  ['2030-06-01T00:00:00Z', '7y', '2037-06-01T00:00:00Z'],
  ['2030-01-01T00:00:00Z', '9999999y', 'never'],
  ['2030-01-01T00:00:00Z', '9999999m', 'never'],
  ['2030-01-01T00:00:00Z', '999999999999d', 'never'],
];

describe('a retention period', () => {
  for (const [from, period, end] of CASES)
    it(`of ${period} from ${from} ends ${end}`, () => assert.equal(after(from, period), end));

  it('is a number and one of d, w, m, y, and nothing else', () => {
    assert.deepEqual(parsePeriod('90d'), { count: 90, unit: 'd' });
    for (const text of [
      '',
      'd',
      '90',
      '90D',
      '-1d',
      '+1d',
      '1.5d',
      ' 1d',
      '1d ',
      '1h',
      '1d1d',
      '１d',
      '1d\n',
    ])
      assert.equal(parsePeriod(text), undefined, JSON.stringify(text));
  });

  it('ends never before it began, and longer ones never before shorter ones', () => {
    const moments = fc.integer({ min: 0, max: Date.parse('2200-01-01T00:00:00Z') });
    fc.assert(
      fc.property(moments, fc.nat(2000), fc.constantFrom('d', 'w', 'm', 'y'), (from, count, unit) => {
        const end = endOf({ count, unit }, from);
        assert.ok(end >= from);
        assert.ok(endOf({ count: count + 1, unit }, from) > end);
      }),
    );
  });

  it('that is over then began when it says, and none that began later is over', () => {
    const moments = fc.integer({ min: 0, max: Date.parse('2200-01-01T00:00:00Z') });
    fc.assert(
      fc.property(moments, fc.nat(2000), fc.constantFrom('d', 'w', 'm', 'y'), (until, count, unit) => {
        const begin = beginOf({ count, unit }, until);
        assert.ok(endOf({ count, unit }, begin) <= until);
        // Months end alike on up to four days.
        assert.ok(endOf({ count, unit }, begin + 4 * 86_400_000) > until);
      }),
    );
    assert.equal(beginOf({ count: 1e14, unit: 'y' }, 0), -Infinity);
    assert.equal(beginOf({ count: 1e14, unit: 'd' }, 0), -Infinity);
  });

  it('keeps the time of the day, and the day of the month where the month has it', () => {
    const moments = fc.integer({ min: 0, max: Date.parse('2200-01-01T00:00:00Z') });
    fc.assert(
      fc.property(moments, fc.nat(500), (from, count) => {
        const begin = new Date(from);
        const end = new Date(endOf({ count, unit: 'm' }, from));
        assert.equal(end.getTime() % 86_400_000, from % 86_400_000);
        const months = (date: Date): number => date.getUTCFullYear() * 12 + date.getUTCMonth();
        assert.equal(months(end) - months(begin), count);
        const dayAfter = new Date(end.getTime() + 86_400_000).getUTCDate();
        assert.ok(end.getUTCDate() === begin.getUTCDate() || dayAfter === 1);
      }),
    );
  });
});

describe('what retention takes of a session', () => {
  const periods = { sessions: '90d', artifacts: '30d' };
  const session = finished('2030-01-01T00:00:00Z');
  const dueAt = (at: string, of: Session = session): string => {
    const due = dueOf(of, periods, Date.parse(at));
    return due.what === 'nothing' && Number.isFinite(due.next)
      ? new Date(due.next).toISOString().slice(0, 10)
      : due.what;
  };

  it('is its artifacts first, then the object', () => {
    assert.equal(dueAt('2030-01-30T23:59:59Z'), '2030-01-31');
    assert.equal(dueAt('2030-01-31T00:00:00Z'), 'artifacts');
    assert.equal(dueAt('2030-04-01T00:00:00Z'), 'session');
    const expired = finished('2030-01-01T00:00:00Z');
    expired.status?.conditions?.push({
      type: 'ArtifactsGenerated',
      status: 'False',
      reason: 'Expired',
      message: '',
      lastTransitionTime: '2030-01-31T00:00:00Z',
    });
    assert.equal(dueAt('2030-02-01T00:00:00Z', expired), '2030-04-01');
  });

  it('is nothing while it waits or runs, however old it is, and nothing of one that is being deleted', () => {
    for (const one of [aSession().build(), aSession().pending().build(), aSession().running().build()])
      assert.equal(dueAt('2199-01-01T00:00:00Z', one), 'nothing');
    const deleted = finished('2030-01-01T00:00:00Z');
    deleted.metadata.deletionTimestamp = '2030-01-02T00:00:00Z';
    assert.equal(dueAt('2199-01-01T00:00:00Z', deleted), 'nothing');
  });

  it('counts from the end as the operator saw it, whatever the runner said of its times', () => {
    const lying = finished('2030-06-01T00:00:00Z', {
      workload: { completionTime: '1970-01-01T00:00:00Z' },
    });
    assert.equal(finishedAt(lying), Date.parse('2030-06-01T00:00:00Z'));
  });

  it('counts from the creation when the clock that wrote the end was behind it', () => {
    assert.equal(finishedAt(finished('1970-01-01T00:00:00Z')), Date.parse('2030-01-01T00:00:00Z'));
  });

  it('keeps what has no end that can be read, and what has a period that cannot be', () => {
    const odd = aSession().status({ phase: 'Failed' }).build();
    assert.equal(dueOf(odd, periods, Number.MAX_SAFE_INTEGER).what, 'nothing');
    const due = dueOf(session, { sessions: 'soon', artifacts: '' }, Date.parse('2199-01-01T00:00:00Z'));
    assert.deepEqual(due, { what: 'nothing', next: Infinity });
  });

  it('takes artifacts with the object when they could have stayed longer', () => {
    const expiry = expiryOf(session, { sessions: '1d', artifacts: '1y' });
    assert.deepEqual(expiry, {
      artifacts: Date.parse('2030-01-02T00:00:00Z'),
      session: Date.parse('2030-01-02T00:00:00Z'),
    });
  });

  it('never goes before its time: whatever the periods and the time', () => {
    const period = fc.stringMatching(/^[0-9]{1,7}[dwmy]$/);
    fc.assert(
      fc.property(period, period, fc.integer({ min: 0, max: 8e15 }), (sessions, artifacts, now) => {
        const expiry = expiryOf(session, { sessions, artifacts });
        const due = dueOf(session, { sessions, artifacts }, now);
        assert.ok(expiry !== undefined && expiry.artifacts <= expiry.session);
        if (due.what === 'session') assert.ok(expiry.session <= now);
        if (due.what === 'artifacts') assert.ok(expiry.artifacts <= now && expiry.session > now);
        if (due.what === 'nothing') assert.ok(due.next > now);
      }),
    );
  });
});
