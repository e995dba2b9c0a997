/** An operator on a cluster of fake nodes that can end and be started again, as itself: at the same addresses, with the same data. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from 'mocha';
import { fakeCluster } from './fake-cluster.ts';
import type { FakeCluster } from './fake-cluster.ts';
import { runOperatorProcess } from './operator-process.ts';
import type { OperatorProcess, OperatorProcessOptions } from './operator-process.ts';

export interface LastingOperator extends AsyncDisposable {
  readonly fake: FakeCluster;
  /** The one that was started last. */
  readonly process: OperatorProcess;
  /** After it was stopped or killed. */
  startAgain(): Promise<void>;
}

export async function lastingOperator(
  context: Context,
  flags: NonNullable<OperatorProcessOptions['flags']> = {},
): Promise<LastingOperator> {
  await using opened = new AsyncDisposableStack();
  const fake = opened.use(await fakeCluster(context));
  const storeDir = await mkdtemp(join(tmpdir(), 'ambient-store-'));
  opened.defer(() => rm(storeDir, { recursive: true, force: true }));
  let process = await runOperatorProcess(fake.cluster, { storeDir, flags });
  opened.defer(() => process[Symbol.asyncDispose]());
  const owned = opened.move();
  return {
    fake,
    get process() {
      return process;
    },
    async startAgain() {
      const { ports } = process;
      await process[Symbol.asyncDispose]();
      process = await runOperatorProcess(fake.cluster, { storeDir, flags, ports });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
