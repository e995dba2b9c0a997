/** Leader election against a real API server: several candidates, each with a clock of its own. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { systemClock } from '../../operator/controllers/clock.ts';
import type { Clock } from '../../operator/controllers/clock.ts';
import { LeaderElection } from '../../operator/controllers/leader.ts';
import { leases } from '../../common/kube/resource.ts';
import { KubeClient } from '../../common/kube/client.ts';
import { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';

const LEASE_MS = 1500;
/** Where nobody may let one run out: not on a busy machine either. */
const LONG_LEASE_MS = 15_000;

describe('leader election', () => {
  let cluster: TestCluster;
  let namespace: string;

  before(async function () {
    this.timeout(120_000);
    cluster = await testCluster(this);
    namespace = await cluster.namespace('leader');
  });

  interface Candidate {
    leading: () => boolean;
    /** Signals of all its terms. */
    terms: AbortSignal[];
    stop: () => Promise<void>;
    /** Ends it without giving back the lease. */
    crash: () => Promise<void>;
  }

  async function aCandidate(
    name: string,
    lease: string,
    { clock = systemClock, leaseMs = LEASE_MS }: { clock?: Clock; leaseMs?: number } = {},
  ): Promise<Candidate> {
    const kubeconfig = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: cluster.kubeconfig });
    const connection = await kubeconfig.connect(kubeconfig.currentContext ?? '');
    const election = new LeaderElection({
      client: new KubeClient(connection),
      namespace,
      name: lease,
      identity: name,
      clock,
      random: Math.random,
      log: pino({ level: 'silent' }),
      leaseMs,
    });
    const end = new AbortController();
    const terms: AbortSignal[] = [];
    let leading = false;
    const running = election.run(end.signal, async (signal) => {
      leading = true;
      terms.push(signal);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      leading = false;
    });
    const stop = async (): Promise<void> => {
      end.abort();
      await running;
      await connection.close();
    };
    return {
      leading: () => leading,
      terms,
      stop,
      crash: async () => {
        await connection.close();
        await stop();
      },
    };
  }

  const aLease = (): string => `lease-${randomBytes(3).toString('hex')}`;

  it('lets one of several lead, and never two', async () => {
    const lease = aLease();
    const candidates = await Promise.all(['a', 'b', 'c'].map((name) => aCandidate(name, lease)));
    const leaders = (): number => candidates.filter((candidate) => candidate.leading()).length;
    await until(() => leaders() === 1, 'somebody leads');
    const end = performance.now() + 3 * LEASE_MS;
    while (performance.now() < end) {
      // None, for a moment, where the API server keeps them waiting.
      assert.ok(leaders() <= 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await Promise.all(candidates.map((candidate) => candidate.stop()));
  });

  it('hands over at once when the leader ends in order', async () => {
    const lease = aLease();
    const first = await aCandidate('a', lease, { leaseMs: LONG_LEASE_MS });
    await until(first.leading, 'a leads');
    const second = await aCandidate('b', lease, { leaseMs: LONG_LEASE_MS });
    await first.stop();
    const from = performance.now();
    await until(second.leading, 'b leads');
    assert.ok(
      performance.now() - from < LONG_LEASE_MS / 2,
      'the lease was given back, so nobody waits for it to run out',
    );
    await second.stop();
  });

  it('takes over from a leader that died when the lease has run out, not before', async () => {
    const lease = aLease();
    const first = await aCandidate('a', lease);
    await until(first.leading, 'a leads');
    const second = await aCandidate('b', lease);
    const from = performance.now();
    await first.crash();
    assert.equal(first.terms[0]?.aborted, true);
    await until(second.leading, 'b leads');
    assert.ok(performance.now() - from > LEASE_MS / 3);
    await second.stop();
  });

  it('stops leading when somebody takes the lease away', async () => {
    const lease = aLease();
    const first = await aCandidate('a', lease);
    await until(first.leading, 'a leads');
    await cluster.client.mergePatch(
      leases,
      { namespace, name: lease },
      { spec: { holderIdentity: 'intruder', leaseDurationSeconds: 1 } },
    );
    await until(() => first.terms[0]?.aborted === true, 'a noticed');
    assert.equal(first.leading(), false);
    await until(first.leading, 'a leads again when the intruder does nothing');
    await first.stop();
  });

  it('takes no lease from a leader whose clock is an hour off', async () => {
    const lease = aLease();
    const skewed: Clock = { ...systemClock, now: () => Date.now() - 3_600_000 };
    const first = await aCandidate('a', lease, { clock: skewed, leaseMs: LONG_LEASE_MS });
    await until(first.leading, 'a leads');
    // It looks once in two seconds.
    const second = await aCandidate('b', lease, { leaseMs: LONG_LEASE_MS });
    const end = performance.now() + 3 * LEASE_MS;
    while (performance.now() < end) {
      assert.equal(second.leading(), false);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await Promise.all([first.stop(), second.stop()]);
  });

  it('takes its own lease back at once after a restart', async () => {
    const lease = aLease();
    const first = await aCandidate('pod-1', lease, { leaseMs: LONG_LEASE_MS });
    await until(first.leading, 'it leads');
    await first.crash();
    const from = performance.now();
    const again = await aCandidate('pod-1', lease, { leaseMs: LONG_LEASE_MS });
    await until(again.leading, 'it leads again');
    assert.ok(performance.now() - from < LONG_LEASE_MS / 2);
    await again.stop();
  });
});
