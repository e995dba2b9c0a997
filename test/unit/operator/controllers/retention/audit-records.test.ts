import assert from 'node:assert/strict';
import { pino } from 'pino';
import { effectivePolicy } from '../../../../../common/rules/policy/effective.ts';
import { AuditRetention } from '../../../../../operator/controllers/retention/audit-records.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { NOW } from '../../../../support/fixtures.ts';

const HOUR_MS = 3600_000;

describe('retention of audit records', () => {
  const world = (periods: Record<string, string>) => {
    const clock = new FakeClock(Date.parse(NOW));
    const trims: string[] = [];
    let refuse: Error | undefined;
    let ahead = 0;
    const retention = new AuditRetention({
      auditing: {
        namespaces: async () => ['gone', ...Object.keys(periods)],
        trim: async (namespace, before) => {
          if (refuse !== undefined) throw refuse;
          trims.push(`${namespace} ${before.toISOString().slice(0, 10)}`);
          return 1;
        },
      },
      policies: {
        of: (namespace) => {
          const auditLogs = periods[namespace];
          return effectivePolicy(auditLogs === undefined ? undefined : { retention: { auditLogs } });
        },
      },
      clock: {
        now: () => clock.now() + ahead,
        elapsed: () => clock.elapsed(),
        timer: (delayMs, fire) => clock.timer(delayMs, fire),
      },
      random: () => 0,
      log: pino({ level: 'silent' }),
    });
    const refusing = (error: Error | undefined): void => void (refuse = error);
    const leap = (milliseconds: number): void => void (ahead = milliseconds);
    return { clock, trims, retention, refusing, leap };
  };

  it("goes by each namespace's policy, and by the default where there is none", async () => {
    const { clock, trims, retention } = world({ 'team-a': '1y', 'team-b': '2w' });
    retention.start();
    await clock.advance(1);
    assert.deepEqual(trims, ['gone 2023-01-01', 'team-a 2029-01-01', 'team-b 2029-12-18']);
    await clock.advance(HOUR_MS);
    assert.equal(trims.length, 6);
    await retention.close(0);
  });

  it('keeps what no period can be understood of', async () => {
    const { clock, trims, retention } = world({ odd: 'soon', endless: '99999999y' });
    retention.start();
    await clock.advance(1);
    assert.deepEqual(trims, ['gone 2023-01-01']);
    await retention.close(0);
  });

  it('takes nothing when a clock leaps ahead, until that has stood', async () => {
    const { clock, trims, retention, leap } = world({ 'team-a': '1y' });
    retention.start();
    await clock.advance(1);
    leap(20 * 365 * 24 * HOUR_MS);
    await clock.advance(HOUR_MS);
    assert.deepEqual(trims.slice(2), ['gone 2023-01-01', 'team-a 2029-01-01']);
    await clock.advance(2 * HOUR_MS);
    assert.equal(trims.at(-1), 'team-a 2048-12-27');
    await retention.close(0);
  });

  it('is delayed by a store that is away, and catches up', async () => {
    const { clock, trims, retention, refusing } = world({});
    refusing(new Error('the store is away'));
    retention.start();
    await clock.advance(1);
    assert.deepEqual(trims, []);
    refusing(undefined);
    await clock.advance(HOUR_MS);
    assert.equal(trims[0], 'gone 2023-01-01');
    await retention.close(0);
  });
});
