/** Audit trails for tests: one that collects, and the real one over a store of the test. */
import assert from 'node:assert/strict';
import type { AuditEvent, AuditRecord } from '../../common/api/audit.ts';
import type { AuditTrail } from '../../operator/record/audit.ts';
import { ChainedAudit } from '../../operator/record/audit/trail.ts';
import type { ChainedAuditOptions, HeadBoard } from '../../operator/record/audit/trail.ts';
import type { ChainHeadOf } from '../../operator/record/audit/marks.ts';
import { chainLines, recordIn, writersOf } from '../../operator/record/audit/segments.ts';
import { RunnerRefusals } from '../../operator/serve/runners/refusals.ts';
import { Accesses } from '../../operator/sessions/accesses.ts';
import type { Refused } from '../../operator/sessions/accesses.ts';
import { DirectoryStore } from '../../operator/store/directory.ts';
import type { ArtifactStore } from '../../operator/store/store.ts';
import { systemClock } from '../../operator/controllers/clock.ts';
import { aSession } from './fixtures.ts';

/** Keeps what was recorded; throws `refuse` instead while that is set. */
export class CollectedAudit implements AuditTrail {
  readonly events: AuditEvent[] = [];
  refuse: Error | undefined;

  async record(event: AuditEvent): Promise<void> {
    if (this.refuse !== undefined) throw this.refuse;
    this.events.push(event);
  }

  /** One line an event: `ann view sessions/log allowed`. */
  get lines(): string[] {
    return this.events.map(
      ({ actor, action, resource, outcome }) => `${actor} ${action} ${resource} ${outcome}`,
    );
  }
}

export const anAccesses = (store: ArtifactStore, audit: AuditTrail): Accesses =>
  new Accesses({
    audit,
    store,
    operatorNamespace: 'ambient-system',
    clock: systemClock,
    onError: assert.ifError,
  });

/** Those of a door that knows one token, `a-pod`: of pod s1-pod of session s1 in team-a. */
export const refusalsOf = (accesses: Accesses, door: Refused['door']): RunnerRefusals =>
  new RunnerRefusals({
    identity: {
      bearerOf: async (authorization) =>
        authorization === 'Bearer a-pod'
          ? {
              bearer: {
                pod: { namespace: 'team-a', name: 's1-pod', uid: 'uid-of-pod' },
                serviceAccount: 'ambient-runner',
                isProven: true,
              },
              session: aSession('s1').in('team-a').build(),
            }
          : undefined,
    },
    accesses,
    door,
  });

/** Who it was, where and at which door. */
export const refusedPodIn = ({ events }: CollectedAudit): unknown[] => {
  const { namespace, sessionId, actor, details } = events.at(-1) ?? assert.fail('nothing is on record');
  return [namespace, sessionId, actor, details?.['door'], details?.['pod']];
};

/** Heads in memory, in the place of the ConfigMap. */
export class TestBoard implements HeadBoard {
  readonly heads = new Map<string, ChainHeadOf>();

  earlier(namespace: string) {
    return this.list
      .filter((head) => head.namespace === namespace)
      .map(({ writer, seq, hash, at }) => ({ writer, seq, hash, at }));
  }

  moved(namespace: string, head: Omit<ChainHeadOf, 'namespace'>): void {
    this.heads.set(`${namespace}.${head.writer}`, { namespace, ...head });
  }

  gone({ namespace, writer }: { namespace: string; writer: string }): void {
    this.heads.delete(`${namespace}.${writer}`);
  }

  get list(): ChainHeadOf[] {
    return [...this.heads.values()];
  }
}

export const aTrail = (
  store: ArtifactStore,
  board: HeadBoard,
  more: Partial<ChainedAuditOptions> = {},
): ChainedAudit =>
  new ChainedAudit({
    store,
    board,
    writer: 'operator-1',
    clock: systemClock,
    onFailure: 'stop',
    meters: { written: () => undefined, failed: () => undefined },
    onTrouble: () => undefined,
    ...more,
  });

export const anEvent = (
  details: Record<string, unknown> = {},
  more: Partial<AuditEvent> = {},
): AuditEvent => ({
  namespace: 'team-a',
  sessionId: 's1',
  sessionUid: 'uid-of-s1',
  actor: 'ann',
  action: 'view',
  resource: 'sessions/log',
  outcome: 'allowed',
  details,
  ...more,
});

/** What an operator has on record of a namespace, oldest first, read from its store as `audit verify` would. */
export async function recordedIn(storeDir: string, namespace: string): Promise<AuditRecord[]> {
  const store = new DirectoryStore({ root: storeDir });
  const records: AuditRecord[] = [];
  for (const writer of await writersOf(store, namespace))
    for await (const line of chainLines(store, { namespace, writer })) {
      const record = recordIn(line);
      if (record !== undefined) records.push(record);
    }
  return records.sort((a, b) => a.timestamp.localeCompare(b.timestamp));
}
