/** The operator killed right after each of its writes: whoever takes over brings the session to the same end. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Session } from '../../common/api/session.ts';
import { PROVENANCE_ARTIFACT } from '../../operator/store/keys.ts';
import { startApiProxy } from '../support/api-proxy.ts';
import type { ApiProxy } from '../support/api-proxy.ts';
import type { TestCluster } from '../support/cluster.ts';
import { aSession } from '../support/fixtures.ts';
import { liveApiAvailable, operatorPorts, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorPorts, OperatorProcess } from '../support/operator-process.ts';
import { runnerCluster } from '../support/runner-cluster.ts';
import {
  aCommand,
  artifactsOf,
  endOf,
  finished,
  inPhase,
  launch,
  logOf,
  stopSession,
  workloadOf,
} from '../support/sessions.ts';
import { until } from '../support/until.ts';
import { keepReady } from '../support/warm-pods.ts';

/** Within which what is written about an end is written. */
const AFTERWARDS_MS = 3000;

describe('an operator that is killed', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let proxy: ApiProxy;
  let storeDir: string;
  let ports: OperatorPorts;
  /** Goes on from one story to the next: each kills it once. */
  let operator: OperatorProcess | undefined;

  before(async function () {
    this.timeout(300_000);
    ({ cluster } = await runnerCluster(this));
    proxy = await startApiProxy(cluster);
    storeDir = await mkdtemp(join(tmpdir(), 'ambient-store-'));
    ports = await operatorPorts(cluster.nodeHostAddress);
  });

  after(async () => {
    await operator?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    if (storeDir !== undefined) await rm(storeDir, { recursive: true, force: true });
  });

  const start = (): Promise<OperatorProcess> =>
    runOperatorProcess(cluster, {
      server: proxy.server,
      storeDir,
      ports,
      flags: { 'stop-slack-seconds': 120 },
    });

  interface Story {
    name: string;
    /** How often the operator writes at least; a slow node adds writes that tell of it. */
    writes: number;
    /** Those of them that count; absent: all. */
    counts?: RegExp;
    /** Whether it also dies with each of them answered: it writes the same before both. */
    isAnsweredToo?: boolean;
    prepare?(namespace: string): Promise<void>;
    /** Launches, and drives the session to its end while operators come and go. */
    launch(namespace: string): Promise<Session>;
    drive?(session: Session): Promise<void>;
  }

  /** What may not depend on when an operator dies. */
  async function tale(session: Session): Promise<object> {
    const { status } = session;
    const { jobs, pods } = await workloadOf(cluster.client, session);
    const log = await logOf(cluster.client, session);
    return {
      end: endOf(session),
      message: status?.message?.replace(/after .*\.$/, 'after a while.'),
      conditions: status?.conditions
        ?.map(({ type, status: value, reason }) => `${type}=${value} ${reason}`)
        .sort(),
      history: status?.history?.map(({ seq, event }) => `${seq} ${event}`),
      // The statement about them has the session's own identity and times in it.
      artifacts: (await artifactsOf(cluster.client, session)).map(({ path, digest }) =>
        path === PROVENANCE_ARTIFACT ? path : `${path} ${digest}`,
      ),
      log: log.replace(/after [\d.]+ s/g, 'after a while'),
      jobs: jobs.length,
      pods: pods.length,
      wasKept: status?.warmPod !== undefined,
      exitCode: status?.workload?.exitCode,
    };
  }

  /** Kills the operator at the n-th write, answered or not. Tells whether there was such a write. */
  async function liveThrough(
    story: Story,
    nth: number,
    answered: boolean,
  ): Promise<{ killed: boolean; tale: object; writes: string[] }> {
    const namespace = await cluster.namespace('crash');
    let current = (operator ??= await start());
    await liveApiAvailable(cluster);
    await story.prepare?.(namespace);
    const writes: string[] = [];
    let killed: Promise<void> | undefined;
    const killNow = (): void => {
      operator = undefined;
      killed = current.kill();
    };
    proxy.onWrite = (write) => {
      if (!write.path.includes(`/${namespace}/`)) return true;
      const told = `${write.method} ${write.path.replace(/^.*\/namespaces\/[^/]+\//, '')} ${write.status}`;
      if (story.counts?.test(told) === false) return true;
      writes.push(told);
      if (writes.length !== nth) return true;
      if (answered) setImmediate(killNow);
      else killNow();
      return answered;
    };
    try {
      const launched = await story.launch(namespace);
      const ended = finished(cluster.client, launched, 60_000);
      // Its failure is awaited below.
      ended.catch(() => undefined);
      const driven = story.drive?.(launched) ?? Promise.resolve();
      driven.catch(() => undefined);
      let overAt = Infinity;
      ended.then(
        () => (overAt = performance.now()),
        () => (overAt = performance.now()),
      );
      // Some writes come after the end.
      await until(
        () => killed !== undefined || performance.now() - overAt > AFTERWARDS_MS,
        'the write or the end',
        60_000,
      );
      proxy.onWrite = undefined;
      if (killed !== undefined) {
        await killed;
        await current[Symbol.asyncDispose]();
        operator = current = await start();
        await liveApiAvailable(cluster);
      }
      await driven;
      const session = await ended;
      return { killed: killed !== undefined, tale: await tale(session), writes };
    } finally {
      proxy.onWrite = undefined;
    }
  }

  const stories: Story[] = [
    {
      name: 'a session that succeeds',
      writes: 5,
      launch: (namespace) =>
        launch(
          cluster.client,
          aCommand(
            namespace,
            'for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done; echo x > $AMBIENT_ARTIFACTS/a.txt',
            'it',
          ),
        ),
    },
    {
      name: 'a session that gets a pod that was kept ready',
      // Its status says which, the Job becomes its own, the pod is told.
      writes: 3,
      counts: /^PATCH (sessions\/it\/status|jobs\/|pods\/)/,
      isAnsweredToo: false,
      prepare: (namespace) =>
        keepReady(cluster.client, namespace, { warmPods: [{ framework: 'generic', count: 1 }] }),
      launch: (namespace) =>
        launch(
          cluster.client,
          aSession('it')
            .in(namespace)
            .of('generic', { command: 'echo it; echo x > $AMBIENT_ARTIFACTS/a.txt' }),
        ),
    },
    {
      name: 'a session that is stopped',
      writes: 6,
      launch: (namespace) => launch(cluster.client, aCommand(namespace, 'echo ready; sleep 600', 'it')),
      async drive(session) {
        await inPhase(
          cluster.client,
          session,
          ({ status }) => status?.phase === 'Running',
          'it runs',
          60_000,
        );
        // The live API is away while no operator runs.
        await until(
          () =>
            logOf(cluster.client, session).then(
              (log) => log.includes('ready'),
              () => false,
            ),
          'the command runs',
          60_000,
          200,
        );
        await until(
          () =>
            stopSession(cluster.client, session, { gracePeriodSeconds: 1 }).then(
              () => true,
              (error: Error) => /already|finished|is Failed/.test(error.message),
            ),
          'stop is accepted',
          30_000,
          200,
        );
      },
    },
  ];

  for (const story of stories) {
    describe(`with ${story.name}`, () => {
      let undisturbed: Awaited<ReturnType<typeof liveThrough>>;

      before(async () => {
        undisturbed = await liveThrough(story, Infinity, true);
        assert.ok(undisturbed.writes.length >= story.writes, undisturbed.writes.join(', '));
      });

      for (let nth = 1; nth <= story.writes; nth++)
        for (const answered of story.isAnsweredToo === false ? [false] : [false, true])
          it(`ends the same when killed ${answered ? 'after' : 'before'} the answer to write ${nth}`, async () => {
            let disturbed = await liveThrough(story, nth, answered);
            // What happens at once is told at once: then there are fewer writes.
            for (let again = 0; again < 2 && !disturbed.killed; again++) {
              assert.ok(disturbed.writes.length < nth);
              assert.deepEqual(disturbed.tale, undisturbed.tale, `writes: ${disturbed.writes.join(', ')}`);
              disturbed = await liveThrough(story, nth, answered);
            }
            assert.ok(disturbed.killed, `writes: ${disturbed.writes.join(', ')}`);
            assert.deepEqual(disturbed.tale, undisturbed.tale, `writes: ${disturbed.writes.join(', ')}`);
          });
    });
  }
});
