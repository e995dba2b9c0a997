/** What the controller asks about a session beside its object, answered from the store. */
import type { PushReport } from '../../common/api/push.ts';
import { CHANGES_PATCH } from '../../common/api/runner.ts';
import type { RunResult } from '../../common/api/runner.ts';
import type { Session, SessionStatus } from '../../common/api/session.ts';
import { isAmbientError } from '../../common/errors.ts';
import type { Product, RunFacts } from '../../common/rules/provenance.ts';
import type { ProvenanceRecorder, Voucher } from '../record/provenance/recorder.ts';
import type { ArtifactStore } from '../store/store.ts';
import type { Artifacts, ArtifactSummary } from './artifacts.ts';
import type { Costs } from './costs.ts';
import type { PushReports } from './push-reports.ts';
import type { Results } from './result.ts';
import type { Sources } from './source.ts';

export interface StoredRecordsOptions {
  store: ArtifactStore;
  artifacts: Artifacts;
  results: Results;
  pushReports: PushReports;
  sources: Sources;
  costs: Pick<Costs, 'of'>;
  /** Undefined: nothing is signed. */
  provenance: Pick<ProvenanceRecorder, 'record'> | undefined;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
}

const CHECK_MS = 1000;

/** Methods throw storage_unavailable and storage_full as the store does. */
export class StoredRecords {
  readonly #options: StoredRecordsOptions;
  #checked: { at: number; isFull: Promise<boolean> } | undefined;

  constructor(options: StoredRecordsOptions) {
    this.#options = options;
  }

  sourceReady(session: Session): Promise<boolean> {
    return this.#options.sources.isComplete(session);
  }

  result(session: Session): Promise<RunResult | undefined> {
    return this.#options.results.get(session);
  }

  artifacts(session: Session): Promise<ArtifactSummary> {
    return this.#options.artifacts.summary(session);
  }

  async hasChanges(session: Session): Promise<boolean> {
    try {
      return (await this.#options.artifacts.describe(session, CHANGES_PATCH)).size > 0;
    } catch (error) {
      if (isAmbientError(error, 'not_found')) return false;
      throw error;
    }
  }

  pushReport(session: Session): Promise<PushReport | undefined> {
    return this.#options.pushReports.get(session);
  }

  async vouch(session: Session, products: readonly Product[], run: RunFacts): Promise<Voucher | undefined> {
    return await this.#options.provenance?.record(session, products, run);
  }

  /** All that was reported, whatever the status shows by now. */
  cost(session: Session): Promise<SessionStatus['cost']> {
    return this.#options.costs.of(session);
  }

  /** Asks by writing, so that many who ask within CHECK_MS get one answer. */
  storageFull(): Promise<boolean> {
    const now = this.#options.elapsed();
    if (this.#checked === undefined || now - this.#checked.at > CHECK_MS)
      this.#checked = { at: now, isFull: this.#check() };
    return this.#checked.isFull;
  }

  async #check(): Promise<boolean> {
    try {
      await this.#options.store.check();
      return false;
    } catch (error) {
      if (isAmbientError(error, 'storage_full')) return true;
      throw error;
    }
  }
}
