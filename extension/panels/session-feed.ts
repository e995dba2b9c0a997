/** One session kept current for its page: the object by a shared watch, its artifacts by the live API, or what is in the way. */
import type { PageProblem, SessionPageState } from '../../common/api/panels.ts';
import type { Artifact } from '../../common/api/live.ts';
import type { Session } from '../../common/api/session.ts';
import { liveProblemOf, problemOf } from '../clusters/problem.ts';
import type { Problem, ProblemAction } from '../clusters/problem.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { SessionWatch, SessionWatches } from '../sessions/session-watch.ts';
import type { PageFacts } from './page-facts.ts';
import type { LiveArtifacts } from './session-view.ts';
import { artifactAt, sessionView } from './session-view.ts';

export interface SessionFeedOptions {
  watches: Pick<SessionWatches, 'acquire'>;
  /** Of the live API. */
  listArtifacts: (ref: SessionRef, signal: AbortSignal) => Promise<Artifact[]>;
  /** What is to be shown beside the session. */
  facts: (ref: SessionRef, session: Session) => Promise<PageFacts>;
  /** The page's state is another one; gathered. */
  onChange: () => void;
  /** For the log of the extension. */
  onError: (doing: string, error: unknown) => void;
  gatherMs?: number;
  againMs?: number;
}

const GATHER_MS = 50;
/** Without a connection a watch does not try again by itself. */
const AGAIN_MS = 15_000;
/** Of the page's own, beside those of problems: handled by the panel. */
export const CLOSE_PAGE = 'close';
export const RETRY_PAGE = 'retry';
export const OPEN_SUCCESSOR = 'openSuccessor';

export class SessionFeed {
  readonly #options: SessionFeedOptions;
  #ref: SessionRef;
  #watch: SessionWatch | undefined;
  #session: Session | undefined;
  #deleted = false;
  /** Uid of a later session of the same name. */
  #successor: string | undefined;
  #problem: Problem | undefined;
  #artifacts: LiveArtifacts | undefined;
  #facts: PageFacts | undefined;
  #isAsking = false;
  #listedAt: string | undefined;
  #listing: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(ref: SessionRef, options: SessionFeedOptions) {
    this.#ref = ref;
    this.#options = options;
  }

  /** With the uid, as soon as the session was seen. */
  get ref(): SessionRef {
    return this.#ref;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get isDeleted(): boolean {
    return this.#deleted;
  }

  /** Watches, unless it does already: also a session that was not there, since its watch may only have been behind. */
  start(): void {
    if (this.#watch !== undefined) return;
    const watch = this.#options.watches.acquire(this.#ref.cluster, this.#ref.namespace);
    this.#watch = watch;
    watch.onChange(({ type, object }) => {
      if (object.metadata.name === this.#ref.name) this.#look(type === 'deleted');
    });
    watch.onState(({ phase, error }) => this.#onState(phase, error));
    this.#onState(watch.state.phase, watch.state.error);
  }

  /** Stops watching; what was seen stays. */
  stop(): void {
    this.#watch?.dispose();
    this.#watch = undefined;
    // What was not answered is asked for again.
    if (this.#listing !== undefined) this.#listedAt = undefined;
    this.#listing?.abort();
    this.#listing = undefined;
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    this.#timer = undefined;
  }

  /** Asks again for everything. */
  retry(): void {
    this.stop();
    this.#problem = undefined;
    this.#listedAt = undefined;
    this.start();
    this.#changed();
  }

  /** What the page shows now. */
  state(): SessionPageState {
    const problem = this.#pageProblem();
    return {
      ref: this.#ref,
      ...(this.#session === undefined
        ? {}
        : {
            view: sessionView(this.#session, {
              deleted: this.#deleted,
              ...(this.#artifacts === undefined ? {} : { artifacts: this.#artifacts }),
              ...(this.#facts === undefined ? {} : { facts: this.#facts }),
            }),
          }),
      ...(this.#facts === undefined ? {} : { refusals: this.#facts.refusals }),
      ...(problem === undefined ? {} : { problem }),
    };
  }

  /** The artifact that the page shows under this path. */
  artifact(path: string): Artifact | undefined {
    return this.#session === undefined ? undefined : artifactAt(this.#session, this.#artifacts, path);
  }

  /** What an action of the shown problem does; undefined when it is not offered any more. */
  action(id: string): ProblemAction | undefined {
    return this.#problem?.actions.find(({ command }) => command === id);
  }

  #onState(phase: string, error: unknown): void {
    if (phase === 'synced') {
      this.#problem = undefined;
      this.#look(false);
    } else if (error !== undefined) {
      this.#options.onError(`watching session ${this.#ref.namespace}/${this.#ref.name}`, error);
      this.#problem = problemOf(error, this.#ref.cluster);
      this.#changed();
      clearTimeout(this.#again);
      if (phase === 'failed')
        this.#again = setTimeout(() => {
          this.stop();
          this.start();
        }, this.#options.againMs ?? AGAIN_MS);
    }
  }

  #look(deletedNow: boolean): void {
    const found = deletedNow ? undefined : this.#watch?.store.get(this.#ref.name);
    const uid = found?.metadata.uid;
    if (found !== undefined && (this.#ref.uid === undefined || this.#ref.uid === uid)) {
      this.#session = found;
      this.#deleted = false;
      if (uid !== undefined) this.#ref = { ...this.#ref, uid };
      this.#listSoon(found);
      this.#askFacts(found);
    } else if (deletedNow || this.#watch?.state.phase === 'synced') {
      this.#deleted = true;
      this.#successor = uid;
      this.#listing?.abort();
    }
    this.#changed();
  }

  /**
   * One question at a time, the last one about the session as it is now; the answers are remembered for a while where they come
   * from.
   */
  #askFacts(session: Session): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#options
      .facts(this.#ref, session)
      .then(
        (facts) => {
          this.#facts = facts;
          this.#changed();
        },
        (error: unknown) => this.#options.onError(`what one may do with ${this.#ref.name}`, error),
      )
      .finally(() => {
        this.#isAsking = false;
        // It went on meanwhile.
        if (this.#session !== undefined && this.#session !== session) this.#askFacts(this.#session);
      })
      .catch(() => undefined);
  }

  /** Nothing appears without the object telling: one request for each version of it, one at a time. */
  #listSoon(session: Session): void {
    const { resourceVersion } = session.metadata;
    if (session.status?.workload?.startTime === undefined) return;
    if (this.#listing !== undefined || (resourceVersion !== undefined && this.#listedAt === resourceVersion))
      return;
    this.#listedAt = resourceVersion;
    const listing = new AbortController();
    this.#listing = listing;
    const done = (artifacts: LiveArtifacts | undefined): void => {
      if (this.#listing !== listing) return;
      this.#listing = undefined;
      if (artifacts !== undefined) this.#artifacts = artifacts;
      this.#changed();
      // It went on meanwhile.
      if (this.#session !== undefined && !this.#deleted) this.#listSoon(this.#session);
    };
    this.#options.listArtifacts(this.#ref, listing.signal).then(
      (items) => done({ items }),
      (error: unknown) => {
        if (listing.signal.aborted) return done(undefined);
        this.#options.onError(`artifacts of ${this.#ref.namespace}/${this.#ref.name}`, error);
        const { title, remedy } = liveProblemOf(error, this.#ref.cluster);
        // A list from before is better than none.
        done({ ...this.#artifacts, problem: `${title}: this list may be incomplete. ${remedy}` });
      },
    );
  }

  #changed(): void {
    // Not restarted by later changes: steady change must not keep the page from being drawn.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#options.onChange();
    }, this.#options.gatherMs ?? GATHER_MS);
  }

  #pageProblem(): PageProblem | undefined {
    if (this.#deleted) return this.#deletedProblem();
    if (this.#problem === undefined) return undefined;
    const { title, message, remedy, actions } = this.#problem;
    return {
      title,
      message,
      remedy,
      actions: [
        { id: RETRY_PAGE, title: 'Retry' },
        ...actions
          .filter((action) => action.title !== 'Retry')
          .map((action) => ({ id: action.command, title: action.title })),
      ],
    };
  }

  #deletedProblem(): PageProblem {
    const { namespace, name } = this.#ref;
    const close = { id: CLOSE_PAGE, title: 'Close Page' };
    if (this.#successor !== undefined)
      return {
        title: 'This session was deleted',
        message: `Another session of the name ${name} stands in its place.`,
        remedy: 'Its log and artifacts are gone; open the new session to see that one.',
        actions: [{ id: OPEN_SUCCESSOR, title: 'Open the New Session' }, close],
      };
    return this.#session === undefined
      ? {
          title: 'There is no such session',
          message: `The namespace ${namespace} holds no session ${name}.`,
          remedy: 'It may have been deleted. Look for it in the Ambient Sessions view.',
          actions: [{ id: RETRY_PAGE, title: 'Retry' }, close],
        }
      : {
          title: 'This session was deleted',
          message: 'What you see is how it last stood.',
          remedy: 'Its log and artifacts are deleted too; documents that are open stay.',
          actions: [close],
        };
  }

  /** The session that took the name of the deleted one. */
  get successor(): SessionRef | undefined {
    return this.#successor === undefined ? undefined : { ...this.#ref, uid: this.#successor };
  }
}
