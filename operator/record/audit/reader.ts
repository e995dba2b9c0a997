/** The records of one session, of all writers, oldest first. */
import type { AuditRecord } from '../../../common/api/audit.ts';
import type { ArtifactStore } from '../../store/store.ts';
import { keys } from '../../store/keys.ts';
import { linesOf, recordIn, writersOf } from './segments.ts';

export interface SessionOfRecords {
  namespace: string;
  name: string;
  uid: string;
  /** When it was created: nothing about it is older. */
  since: Date;
}

/** Clocks of the API server and of operators may differ. */
const SKEW_MS = 300_000;

/** The lines as they are stored. Throws what the store throws. */
export async function* sessionRecords(
  store: ArtifactStore,
  session: SessionOfRecords,
): AsyncGenerator<string, void, undefined> {
  const writers = await writersOf(store, session.namespace);
  const chains = writers.map((writer) => recordsIn(store, session, writer));
  const next = await Promise.all(chains.map(async (chain) => (await chain.next()).value));
  for (;;) {
    let oldest = -1;
    for (const [index, found] of next.entries()) {
      const best = next[oldest];
      if (found !== undefined && (best === undefined || found.record.timestamp < best.record.timestamp))
        oldest = index;
    }
    const found = next[oldest];
    if (found === undefined) return;
    yield found.line;
    next[oldest] = (await chains[oldest]?.next())?.value;
  }
}

interface Found {
  record: AuditRecord;
  line: string;
}

async function* recordsIn(
  store: ArtifactStore,
  session: SessionOfRecords,
  writer: string,
): AsyncGenerator<Found, undefined, undefined> {
  const limit = session.since.getTime() - SKEW_MS;
  const marker = `"sessionId":${JSON.stringify(session.name)}`;
  for await (const { key, createdAt } of store.list(
    keys.auditChain({ namespace: session.namespace, writer }),
  )) {
    if (createdAt.getTime() < limit) continue;
    for (const line of await linesOf(store, key)) {
      if (!line.includes(marker)) continue;
      const record = recordIn(line);
      const { sessionId, sessionUid = session.uid } = record ?? {};
      if (record !== undefined && sessionId === session.name && sessionUid === session.uid)
        yield { record, line };
    }
  }
  return undefined;
}
