/** The page of one session as a panel of the editor: its document, what it asks for, what it is told. `await import` it: brings schemas along. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { SESSION_PAGE_REQUESTS } from '../../common/api/panels.ts';
import type {
  Handlers,
  LogUpdate,
  SaidUpdate,
  SessionPageRequests,
  SessionPageUpdates,
} from '../../common/api/panels.ts';
import type { LogRecord } from '../../common/api/log.ts';
import { CHANGES_PATCH } from '../../common/api/runner.ts';
import { isForbidden, isNotFound } from '../../common/kube/errors.ts';
import type { Clusters } from '../clusters/clusters.ts';
import { liveProblemOf } from '../clusters/problem.ts';
import type { Rights } from '../clusters/rights.ts';
import type { Notify } from '../ide/notify.ts';
import { LogGone } from '../logs/follow-records.ts';
import type { Policies } from '../policies/policies.ts';
import type { Cause } from '../sessions/cause.ts';
import { isTriggered, titleOf } from '../sessions/state.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { SessionWatches } from '../sessions/session-watch.ts';
import { Conversation } from './conversation/conversation.ts';
import { LogTail } from './log-tail.ts';
import type { FollowLogOptions } from './log-tail.ts';
import { showDocument } from './page-document.ts';
import { dispatch } from './requests.ts';
import { CLOSE_PAGE, OPEN_SUCCESSOR, RETRY_PAGE, SessionFeed } from './session-feed.ts';
import { tabTitle } from './tab-title.ts';

export interface SessionPanelDeps {
  clusters: Pick<Clusters, 'client' | 'connection'>;
  watches: Pick<SessionWatches, 'acquire'>;
  rights: Pick<Rights, 'refusal' | 'me'>;
  policies: Pick<Policies, 'of'>;
  notify: Pick<Notify, 'log' | 'failed' | 'info' | 'background'>;
  /**
   * Records after `since` until the session has ended and all were given; reconnects by itself. Absent: pages show no log.
   */
  followLog?: (ref: SessionRef, options: FollowLogOptions) => AsyncIterable<LogRecord[]>;
}

export interface SessionPanelOptions {
  panel: vscode.WebviewPanel;
  ref: SessionRef;
  extensionUri: vscode.Uri;
  deps: SessionPanelDeps;
  /** Opens the page of another session. */
  open: (ref: SessionRef) => void;
}

export class SessionPanel {
  readonly #options: SessionPanelOptions;
  readonly #panel: vscode.WebviewPanel;
  readonly #subscriptions: vscode.Disposable[];
  #feed: SessionFeed;
  #tail: LogTail | undefined;
  #conversation = new Conversation();
  /** The page listens: it asked for its state and was not made anew since. */
  #listens = false;
  #closed = false;

  constructor(options: SessionPanelOptions) {
    this.#options = options;
    const { panel } = options;
    this.#panel = panel;
    this.#feed = this.#newFeed(options.ref);
    panel.iconPath = vscode.Uri.joinPath(options.extensionUri, 'media/icon.png');
    showDocument(panel, options.extensionUri, { name: 'session', title: 'Session' });
    this.#subscriptions = [
      panel.webview.onDidReceiveMessage((message: unknown) => this.#receive(message)),
      panel.onDidChangeViewState(() => this.#onVisible(panel.visible)),
      panel.onDidDispose(() => this.#onDispose()),
    ];
    this.#onVisible(panel.visible);
  }

  get ref(): SessionRef {
    return this.#feed.ref;
  }

  /** To the front; on a ref of a later session of the same name, that one. */
  show(ref: SessionRef): void {
    if (ref.uid !== undefined && this.#feed.ref.uid !== undefined && ref.uid !== this.#feed.ref.uid)
      this.#turnTo(ref);
    else if (this.#feed.isDeleted) this.#feed.retry();
    this.#panel.reveal(undefined, false);
  }

  /** The connections may be others now. */
  watchAgain(): void {
    if (this.#closed || !this.#panel.visible) return;
    this.#feed.stop();
    this.#feed.start();
  }

  dispose(): void {
    this.#panel.dispose();
  }

  #onDispose(): void {
    this.#closed = true;
    this.rest();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  /** Watches only while somebody can see it. A hidden page is unloaded, and asks for its state when it is made anew. */
  #onVisible(visible: boolean): void {
    if (this.#closed) return;
    if (visible) {
      this.#feed.start();
      this.#startTail();
    } else {
      this.#listens = false;
      this.rest();
    }
  }

  /** Stops watching and following; the page stays as it is. */
  rest(): void {
    this.#feed.stop();
    this.#tail?.stop();
  }

  #turnTo(ref: SessionRef): void {
    this.rest();
    this.#tail = undefined;
    this.#conversation = new Conversation();
    this.#feed = this.#newFeed(ref);
    this.#onVisible(this.#panel.visible);
    this.#tellAll();
  }

  #newFeed(ref: SessionRef): SessionFeed {
    const { deps } = this.#options;
    // Asked for once: what a spec says does not change.
    let cause: Promise<Cause | undefined> | undefined;
    return new SessionFeed(ref, {
      watches: deps.watches,
      listArtifacts: async (of, signal) => {
        const [connection, { listArtifacts }] = await Promise.all([
          deps.clusters.connection(of.cluster),
          import('../sessions/live.ts'),
        ]);
        return await listArtifacts(connection, of, signal);
      },
      facts: async (of, session) => {
        const { causeIn, pageFacts } = await import('./page-facts.ts');
        if (isTriggered(session))
          cause ??= deps.clusters
            .client(of.cluster)
            .then((client) => causeIn(client, of))
            .catch((error: unknown) => {
              cause = undefined;
              deps.notify.log(`what triggered ${of.name}`, error);
              return undefined;
            });
        const [facts, found] = await Promise.all([pageFacts(deps, of, session), cause]);
        return found === undefined ? facts : { ...facts, cause: found };
      },
      onChange: () => this.#onChange(),
      onError: (doing, error) => deps.notify.log(doing, error),
    });
  }

  #onChange(): void {
    const { session } = this.#feed;
    this.#panel.title = tabTitle(session === undefined ? this.ref.name : titleOf(session));
    if (session !== undefined) this.#startTail();
    this.#post('state', this.#feed.state());
  }

  #tellAll(): void {
    this.#post('state', this.#feed.state());
    if (this.#tail === undefined) this.#post('log', { reset: true, lines: [], state: 'waiting' });
    else this.#post('log', this.#tail.whole());
    this.#post('conversation', this.#conversation.whole());
  }

  /** There is a log once the pod runs; it stays after the pod is gone. */
  #startTail(): void {
    const { followLog } = this.#options.deps;
    const { session, ref } = this.#feed;
    if (followLog === undefined || !this.#panel.visible || this.#feed.isDeleted) return;
    if (session?.status?.workload?.startTime === undefined) return;
    const conversation = this.#conversation;
    this.#tail ??= new LogTail({
      follow: async function* (options) {
        for await (const records of followLog(ref, options)) {
          for (const record of records) conversation.add(record);
          yield records;
        }
      },
      send: (update: LogUpdate) => {
        this.#post('log', update);
        this.#post('conversation', conversation.update());
      },
      describe: (error) => {
        const { kind, title, remedy } = liveProblemOf(error, this.ref.cluster);
        if (error instanceof LogGone || (isNotFound(error) && kind !== 'operatorAway'))
          return 'There is no log of this session.';
        if (isForbidden(error)) return `You may not read the log of this session. ${remedy}`;
        return `${title}. ${remedy}`;
      },
    });
    this.#tail.start();
  }

  #receive(message: unknown): void {
    const { notify } = this.#options.deps;
    notify.background(
      'a request of the session page',
      dispatch<typeof SESSION_PAGE_REQUESTS, SessionPageRequests>(
        SESSION_PAGE_REQUESTS,
        this.#handlers,
        message,
      ),
    );
  }

  readonly #handlers: Handlers<SessionPageRequests> = {
    ready: () => {
      this.#listens = true;
      this.#tellAll();
    },
    retry: () => this.#retry(),
    stop: () => this.#run('ambient.stop', this.ref),
    message: ({ text }) => this.#say('message', text),
    interrupt: () => this.#say('interrupt', ''),
    resume: () => this.#run('ambient.resume', this.ref),
    openResult: () => this.#run('ambient.openResult', this.ref),
    raiseBudget: () => this.#run('ambient.raiseBudget', this.ref),
    delete: () => this.#run('ambient.delete', this.ref),
    approve: () => this.#run('ambient.approve', this.ref),
    reject: () => this.#run('ambient.reject', this.ref),
    openAudit: () => this.#run('ambient.openAudit', this.ref),
    openTrigger: () => this.#run('ambient.openTrigger', this.ref),
    openPolicy: () => this.#run('ambient.openPolicy', this.ref),
    openLog: () => this.#run('ambient.openLog', this.ref),
    openYaml: () => this.#run('ambient.openYaml', this.ref),
    copyName: () => this.#run('ambient.copyName', this.ref),
    openArtifact: ({ path }) => this.#withArtifact('ambient.openArtifact', path),
    saveArtifact: ({ path }) => this.#withArtifact('ambient.saveArtifact', path),
    openChange: ({ path }) => this.#openChange(path),
    earlier: ({ before }) => this.#post('conversation', this.#conversation.earlier(before)),
    act: ({ action }) => this.#act(action),
  };

  #retry(): void {
    this.#feed.retry();
    this.#startTail();
  }

  /** Only what the shown problem offers: a page cannot name a command. */
  async #act(id: string): Promise<void> {
    switch (id) {
      case RETRY_PAGE:
        return this.#retry();
      case CLOSE_PAGE:
        return this.dispose();
      case OPEN_SUCCESSOR: {
        const { successor } = this.#feed;
        if (successor !== undefined) this.#options.open(successor);
        return;
      }
    }
    const action = this.#feed.action(id);
    if (action !== undefined) await this.#run(action.command, ...(action.arguments ?? []));
  }

  async #withArtifact(command: string, path: string): Promise<void> {
    const artifact = this.#feed.artifact(path);
    if (artifact !== undefined) await this.#run(command, this.ref, artifact);
  }

  /** The page is told what came of it, so that words that were not taken are not lost. */
  async #say(what: SaidUpdate['what'], text: string): Promise<void> {
    const { clusters } = this.#options.deps;
    const { ref } = this;
    const id = randomUUID();
    try {
      const [connection, { interruptSession, sendMessage }] = await Promise.all([
        clusters.connection(ref.cluster),
        import('../sessions/live.ts'),
      ]);
      if (what === 'message') await sendMessage(connection, ref, { id, text });
      else await interruptSession(connection, ref, id);
      this.#post('said', { what });
    } catch (error) {
      this.#options.deps.notify.log(`saying something to ${ref.namespace}/${ref.name}`, error);
      const { title, message, remedy } = liveProblemOf(error, ref.cluster);
      this.#post('said', { what, problem: `${title}: ${message}. ${remedy}` });
    }
  }

  /** A file of the workspace is kept only as part of the patch. */
  async #openChange(path: string): Promise<void> {
    const kept = [CHANGES_PATCH, path].find((each) => this.#feed.artifact(each) !== undefined);
    if (kept === undefined)
      this.#options.deps.notify.info(
        'What has changed can be seen once the session has ended and its changes are kept.',
      );
    else
      await this.#withArtifact(kept === CHANGES_PATCH ? 'ambient.reviewPatch' : 'ambient.openArtifact', kept);
  }

  async #run(command: string, ...args: unknown[]): Promise<void> {
    try {
      await vscode.commands.executeCommand(command, ...args);
    } catch (error) {
      this.#options.deps.notify.failed(`run ${command}`, error, this.ref.cluster);
    }
  }

  #post<K extends keyof SessionPageUpdates>(type: K, payload: SessionPageUpdates[K]): void {
    if (!this.#listens || this.#closed) return;
    this.#options.deps.notify.background(
      'telling the session page',
      this.#panel.webview.postMessage({ type, payload }),
    );
  }
}
