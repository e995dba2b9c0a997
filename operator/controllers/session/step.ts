/** What every step of a session's reconciliation gets and gives. */
import type { Logger } from 'pino';
import type { Framework } from '../../../common/api/framework.ts';
import type { PushReport } from '../../../common/api/push.ts';
import type { RunResult } from '../../../common/api/runner.ts';
import type { Session, SessionStatus } from '../../../common/api/session.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import type { Job, Pod } from '../../../common/kube/core-types.ts';
import type { ObjectStore } from '../../../common/kube/object-store.ts';
import type { RunPlan } from '../../../common/rules/admission.ts';
import type { ContainerEnd, Outcome, PodEnd } from '../../../common/rules/outcome.ts';
import type { Product, RunFacts } from '../../../common/rules/provenance.ts';
import type { Exporter } from '../../record/exports/exporter.ts';
import type { PullRequests } from '../../record/pull-requests/opener.ts';
import type { Voucher } from '../../record/provenance/recorder.ts';
import type { ArtifactSummary } from '../../sessions/artifacts.ts';
import type { AuditTrail } from '../../record/audit.ts';
import type { Policies } from '../../sessions/policies.ts';
import type { Clock } from '../clock.ts';
import type { WarmPods } from '../warm/index.ts';
import type { Draft } from './draft.ts';
import type { Memory } from './memory.ts';
import type { Turns } from './turns.ts';

/**
 * continue: the next step; done: nothing more to do until something changes; retold: a watch is about to tell what this
 * look has done, and the look it brings writes all of it; otherwise nothing more to do now, and look again after a while
 * even if nothing changes.
 */
export type StepResult = 'continue' | 'done' | 'retold' | { lookAgainMs: number };

export type Step = (look: Look) => StepResult | Promise<StepResult>;

/** The run is over, or the operator has decided so. */
export interface Ending {
  container: ContainerEnd | undefined;
  pod: PodEnd | undefined;
  completionTime: string | undefined;
  /** Decided by the operator itself, whatever the pod does: it is taken away afterwards. */
  outcome: Outcome | undefined;
}

/** One look at one session. What steps decide goes into `draft`; what later steps need to know into the last fields. */
export interface Look {
  readonly session: Session;
  readonly uid: string;
  readonly draft: Draft;
  readonly signal: AbortSignal;
  readonly controller: SessionDependencies;
  job: Job | undefined;
  pod: Pod | undefined;
  /** It has come as far as asking for its turn, or holds one. */
  asksForTurn: boolean;
  /** Set by admit while there is no Job yet. */
  plan: RunPlan | undefined;
  /** Set by observe. */
  ending: Ending | undefined;
}

/** What is known of a session beside its object. Errors of the artifact store pass through, and the look is repeated. */
export interface SessionRecords {
  /** All bytes of the upload are there. */
  sourceReady(session: Session): Promise<boolean>;
  /** What the runner reported at its end, if it did. */
  result(session: Session): Promise<RunResult | undefined>;
  artifacts(session: Session): Promise<ArtifactSummary>;
  /** It has handed in a patch. */
  hasChanges(session: Session): Promise<boolean>;
  /** What the pod that pushes reported last. */
  pushReport(session: Session): Promise<PushReport | undefined>;
  /** Signs and stores what the artifacts are and how they came about; undefined without artifacts. */
  vouch(session: Session, products: readonly Product[], run: RunFacts): Promise<Voucher | undefined>;
  /** What the session has cost in all; undefined when nobody reported any. */
  cost(session: Session): Promise<SessionStatus['cost']>;
  /** A write would fail now for want of space. */
  storageFull(): Promise<boolean>;
}

export interface SessionSettings {
  /** How long an image may fail to be pulled, or a container to be made, before the session fails. */
  startPatienceMs: number;
  /** How long a session waits for the upload it announced. */
  sourcePatienceMs: number;
  /** How long a session waits for its framework to appear, as when both are applied from one file. */
  frameworkPatienceMs: number;
  /** Beyond the grace period of a stop, until the operator takes the pod away. */
  stopSlackMs: number;
}

export interface SessionDependencies {
  client: KubeClient;
  sessions: ObjectStore<Session>;
  /** Indexed by `session`: the UID of the Session. */
  jobs: ObjectStore<Job>;
  /** Indexed by `session`. */
  pods: ObjectStore<Pod>;
  /** Where the watch of Jobs stands. */
  jobsVersion: () => string | undefined;
  frameworks: ObjectStore<Framework>;
  policies: Pick<Policies, 'of' | 'object'>;
  turns: Turns;
  warm: Pick<WarmPods, 'pick'>;
  /** A session was told to stop for its own budget, or its namespace's. */
  budgetStopped: (by: 'session' | 'namespace') => void;
  /** The user that the operator itself is. */
  operatorUser: string;
  records: SessionRecords;
  exporter: Pick<Exporter, 'deliver'>;
  pullRequests: Pick<PullRequests, 'open'>;
  /** Decisions are recorded before they take effect. */
  audit: AuditTrail;
  memory: Memory;
  clock: Clock;
  settings: SessionSettings;
  /** Where runners report to, and the PEM of whom they may trust there. */
  endpoint: () => { url: string; ca: string };
  /** What pods of the namespace need is there: their ServiceAccount and their NetworkPolicy. Throws KubeError without the latter. */
  prepareNamespace: (namespace: string, signal: AbortSignal) => Promise<void>;
  log: Logger;
}
