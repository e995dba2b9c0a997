/**
 * Calls that a process of the operator has left open: it was killed, and nobody knows what they have cost. They are charged at most,
 * as what was reserved for them, and the session's history says so. A process is gone when another has its name, or when what it
 * says of itself has stood still for long. One that was only held up stores its own truth over it: no call is ever counted twice.
 */
import { text } from 'node:stream/consumers';
import type { Logger } from 'pino';
import { OPERATOR_ACTOR } from '../../../common/api/names.ts';
import { isTerminal } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import { isAmbientError } from '../../../common/errors.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../../common/kube/errors.ts';
import { sameJson } from '../../../common/kube/patch.ts';
import { sessions } from '../../../common/kube/resource.ts';
import { usd } from '../../../common/rules/budget.ts';
import { sum } from '../../../common/rules/money.ts';
import { formatList } from '../../../common/rules/wording.ts';
import { historyAppender } from '../../record/history.ts';
import { keys } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';
import type { SourceSums } from '../cost-ledger.ts';
import type { Costs } from '../costs.ts';
import { prefixOf } from './charges.ts';
import { BEAT_MS } from './open-sessions.ts';
import type { ListedSession, ProcessCalls } from './open-sessions.ts';

export interface LostCallsOptions {
  store: ArtifactStore;
  client: KubeClient;
  costs: Pick<Costs, 'sums' | 'next' | 'drop' | 'of' | 'catchUp'>;
  /** Our own. */
  process: string;
  identity: string;
  clock: { now(): number; elapsed(): number };
  log: Logger;
}

export const LOST_CALLS = 'CallsChargedAtMost';
/** Clocks are not compared: it is our own time in which nothing of it has changed. */
const SILENT_MS = 4 * BEAT_MS;
const ATTEMPTS = 8;
const MODELS_SHOWN = 5;

export class LostCalls {
  readonly #options: LostCallsOptions;
  readonly #seen = new Map<string, { said: string; since: number }>();

  constructor(options: LostCallsOptions) {
    this.#options = options;
  }

  /** Looks once; repeating it does no harm. Throws what store and API server throw. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { store, process } = this.#options;
    const found = (await store.listKeys(keys.calls)).map((key) => keys.parseCalls(key));
    const others = found.filter((each) => each !== undefined && each !== process);
    for (const known of this.#seen.keys()) if (!others.includes(known)) this.#seen.delete(known);
    for (const other of others) {
      signal.throwIfAborted();
      const said = other === undefined ? undefined : await this.#read(other);
      if (other === undefined || said === undefined) continue;
      const calls = JSON.parse(said) as ProcessCalls;
      if (!this.#isGone(other, said, calls)) continue;
      let isDone = true;
      for (const session of calls.sessions) {
        signal.throwIfAborted();
        isDone = (await this.#writeOff(other, session)) && isDone;
      }
      if (isDone) await store.remove(keys.callsOf(other));
    }
  }

  #isGone(process: string, said: string, { identity }: ProcessCalls): boolean {
    // One process at a time has our name, and that is us.
    if (identity === this.#options.identity) return true;
    const now = this.#options.clock.elapsed();
    const seen = this.#seen.get(process);
    if (seen?.said === said) return now - seen.since >= SILENT_MS;
    this.#seen.set(process, { said, since: now });
    return false;
  }

  async #read(process: string): Promise<string | undefined> {
    try {
      return await text((await this.#options.store.get(keys.callsOf(process))).body);
    } catch (error) {
      if (isAmbientError(error, 'not_found')) return undefined;
      throw error;
    }
  }

  /** Whether nothing is left to be done. */
  async #writeOff(process: string, listed: ListedSession): Promise<boolean> {
    const { client, costs, log } = this.#options;
    const { namespace, name, uid } = listed;
    const session = await client.get(sessions, { namespace, name }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    // With a session that is gone its money was settled.
    if (session === undefined || session.metadata.uid !== uid) return true;
    for (const sums of await costs.sums(session)) {
      if (!sums.source.startsWith(prefixOf(process)) || sums.open.size === 0) continue;
      const open = [...sums.open.values()];
      const amount = usd(sum(open.map(({ most }) => most)));
      // Told first: a cost without a word would stay unexplained.
      await this.#tell(session, sums, amount);
      await costs.next(session, sums.source, sums, {
        charges: open.map(({ key, most }) => ({ key, amount: most })),
        open: new Map(),
        isAtMost: true,
      });
      await costs.drop(session, sums.source, sums);
      log.warn(
        { namespace, session: name, calls: open.length, amount, process },
        'calls to models that an operator left open were charged at most',
      );
    }
    // A new leader catches up with what sessions do not show, but not with those that have ended.
    if (!isTerminal(session.status?.phase)) return true;
    if (sameJson(await costs.of(session), session.status?.cost)) return true;
    await costs.catchUp(session);
    return false;
  }

  async #tell(session: Session, { source, seq, open }: SourceSums, amount: string): Promise<void> {
    const { client, store, clock } = this.#options;
    const { namespace, name, uid } = session.metadata;
    const state = `${source}/${seq}`;
    const models = [...new Set([...open.values()].map(({ key }) => key))];
    const entry = {
      timestamp: `${new Date(clock.now()).toISOString().slice(0, 19)}Z`,
      event: LOST_CALLS,
      actor: OPERATOR_ACTOR,
      data: { calls: open.size, amount, models: formatList(models, MODELS_SHOWN), state },
    };
    let current = session;
    for (let attempt = 1; ; attempt++) {
      // A leader before us may have come so far.
      const isTold = current.status?.history?.some(
        ({ event, data }) => event === LOST_CALLS && data?.['state'] === state,
      );
      if (isTold === true) return;
      const history = await historyAppender(store)(current, [entry]);
      try {
        await client.mergePatch(
          sessions,
          { namespace, name, subresource: 'status' },
          { metadata: { uid, resourceVersion: current.metadata.resourceVersion }, status: { history } },
          { answer: 'metadata' },
        );
        return;
      } catch (error) {
        if (isNotFound(error)) return;
        if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
      }
      current = await client.get(sessions, { namespace, name });
      if (current.metadata.uid !== uid) return;
    }
  }
}
