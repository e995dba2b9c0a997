/** One session; below it, its artifacts. Is itself a SessionRef, so that commands take it as it is. */
import type { Session } from '../../common/api/session.ts';
import { count, formatDuration } from '../../common/rules/wording.ts';
import { liveProblemOf } from '../clusters/problem.ts';
import type { Right } from '../clusters/rights.ts';
import { markdownText, plain } from '../ide/plain-text.ts';
import { refOf } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import {
  formatAge,
  isFinished,
  isTriggered,
  lastMoment,
  needsInput,
  pausedFor,
  STATE_WORDS,
  stateOf,
  titleOf,
  triggerText,
} from '../sessions/state.ts';
import type { SessionState } from '../sessions/state.ts';
import { hasSpentItsBudget, placeInLine } from '../sessions/waiting.ts';
import { artifactNodes } from './artifact-folder-node.ts';
import { isQuick, loadingNode } from './loading.ts';
import { MessageNode } from './message-node.ts';
import type { NodeView, TreeContext, TreeNode } from './node.ts';
import { ProblemNode } from './problem-node.ts';

/** A failed listing is not tried again sooner, however often the row is drawn. */
const FAILURE_MS = 10_000;

const ICONS: Readonly<Record<SessionState, { id: string; color?: string }>> = {
  deleting: { id: 'trash', color: 'disabledForeground' },
  approval: { id: 'question', color: 'problemsWarningIcon.foreground' },
  input: { id: 'comment-unresolved', color: 'problemsWarningIcon.foreground' },
  attention: { id: 'bell-dot', color: 'charts.orange' },
  pending: { id: 'clock', color: 'charts.yellow' },
  running: { id: 'play-circle', color: 'charts.blue' },
  stopping: { id: 'stop-circle', color: 'charts.yellow' },
  completed: { id: 'pass-filled', color: 'testing.iconPassed' },
  stopped: { id: 'circle-slash', color: 'disabledForeground' },
  failed: { id: 'error', color: 'testing.iconFailed' },
};

export class SessionNode implements TreeNode, SessionRef {
  readonly id: string;
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The group it stands in now; changes as the session goes on. */
  parent: TreeNode;
  #session: Session;
  readonly #context: TreeContext;
  #listing: { resourceVersion: string | undefined; nodes: Promise<TreeNode[]> } | undefined;
  #listed: { resourceVersion: string | undefined; nodes: TreeNode[]; until: number } | undefined;

  constructor(
    context: TreeContext,
    parent: TreeNode,
    namespaceId: string,
    cluster: string,
    session: Session,
  ) {
    this.#context = context;
    this.parent = parent;
    this.#session = session;
    this.cluster = cluster;
    this.namespace = session.metadata.namespace ?? '';
    this.name = session.metadata.name;
    this.uid = session.metadata.uid ?? '';
    this.id = `${namespaceId}/s:${this.uid}`;
  }

  get session(): Session {
    return this.#session;
  }

  update(session: Session, parent: TreeNode): this {
    this.#session = session;
    this.parent = parent;
    return this;
  }

  view(): NodeView {
    const session = this.#session;
    const state = stateOf(session);
    const title = plain(titleOf(session));
    const description = this.#description(state);
    return {
      id: this.id,
      label: title,
      description,
      tooltip: this.#tooltip(state),
      icon: ICONS[state],
      collapsible: 'collapsed',
      context: `session ${isFinished(session) ? 'finished' : 'active'} ${state}${isTriggered(session) ? ' triggered' : ''}${session.status?.result?.branch === undefined ? '' : ' pushed'}${session.status?.input?.open === true ? ' talks' : ''}${this.#missingRights()}`,
      command: {
        command: 'ambient.openSession',
        title: 'Open Session',
        arguments: [refOf(this.cluster, session)],
      },
      spoken: [`session ${title}`, STATE_WORDS[state], description].filter(Boolean).join(', '),
    };
  }

  async children(): Promise<readonly TreeNode[]> {
    const { resourceVersion } = this.#session.metadata;
    // Nothing appears without the session's status saying so: other rows' changes cost no request here.
    const listed = this.#listed;
    if (listed !== undefined && listed.resourceVersion === resourceVersion)
      if (listed.until > this.#context.now()) return listed.nodes;
    const listing = (this.#listing ??= {
      resourceVersion,
      nodes: this.#list(resourceVersion).finally(() => (this.#listing = undefined)),
    });
    const { nodes } = listing;
    // One at a time; what was asked for before the session went on is not what it has now.
    if (await isQuick(nodes))
      return listing.resourceVersion === resourceVersion ? await nodes : await this.children();
    const again = (): void => this.#context.refresh(this);
    nodes.then(again, again);
    return [loadingNode(this, 'Reading artifacts…')];
  }

  async #list(resourceVersion: string | undefined): Promise<TreeNode[]> {
    const ref = refOf(this.cluster, this.#session);
    let nodes: TreeNode[];
    let until = Infinity;
    try {
      nodes = artifactNodes(this, this.id, ref, await this.#context.listArtifacts(ref));
      if (nodes.length === 0) nodes.push(this.#noArtifacts());
    } catch (error) {
      this.#context.log(`artifacts of ${ref.namespace}/${ref.name}`, error);
      nodes = [new ProblemNode(this, liveProblemOf(error, this.cluster))];
      until = this.#context.now() + FAILURE_MS;
    }
    this.#listed = { resourceVersion, nodes, until };
    return nodes;
  }

  /** Asks for the artifacts again at the next opportunity. */
  forgetArtifacts(): void {
    this.#listed = undefined;
  }

  /** Words for the menus, which leave out what would be refused. */
  #missingRights(): string {
    const rights = this.#context.rights.peek(this.cluster, this.namespace);
    if (rights === undefined) return '';
    const words = {
      stop: 'noStop',
      delete: 'noDelete',
      approve: 'noApprove',
      reject: 'noReject',
      ...(isFinished(this.#session) ? { resume: 'noResume' } : {}),
      ...(this.#session.status?.phase === 'Running' ? { budget: 'noBudget' } : {}),
      ...(this.#session.status?.input?.open === true
        ? { message: 'noMessage', interrupt: 'noInterrupt' }
        : {}),
    } as const;
    return Object.entries(words)
      .filter(([right]) => !rights.has(right as Right))
      .map(([, word]) => ` ${word}`)
      .join('');
  }

  #noArtifacts(): TreeNode {
    const label = isFinished(this.#session) ? 'No artifacts' : 'No artifacts yet';
    return new MessageNode(this, 'none', { label, icon: { id: 'dash' } });
  }

  #description(state: SessionState): string {
    const { status } = this.#session;
    const age = formatAge(this.#context.now() - lastMoment(this.#session));
    const artifacts = status?.artifacts?.count ?? 0;
    const from = isTriggered(this.#session) ? `from ${this.#session.spec.trigger?.source}` : '';
    const parts =
      state === 'completed'
        ? [age, from, artifacts > 0 ? count(artifacts, 'artifact') : '']
        : [
            age,
            from,
            state === 'stopping' ? 'stopping' : '',
            placeInLine(this.#session) ?? '',
            hasSpentItsBudget(this.#session) ? 'budget exceeded' : '',
            plain(
              (state === 'input' ? needsInput(this.#session) : pausedFor(this.#session)) ??
                status?.message ??
                '',
              120,
            ),
          ];
    return parts.filter((part) => part !== '').join(' · ');
  }

  #tooltip(state: SessionState): string {
    const { spec, status, metadata } = this.#session;
    const { type, version } = spec.framework;
    const workload = status?.workload;
    const took =
      workload?.startTime !== undefined && workload.completionTime !== undefined
        ? formatDuration(Date.parse(workload.completionTime) - Date.parse(workload.startTime))
        : undefined;
    const rows: [string, string | undefined][] = [
      ['Framework', version === undefined ? type : `${type} ${version}`],
      ['Triggered by', isTriggered(this.#session) ? triggerText(this.#session) : undefined],
      ['Trigger', spec.trigger?.name],
      // The operator, where it was an event.
      ['Launched by', spec.trigger?.received === undefined ? spec.createdBy?.user : undefined],
      ['Waits', placeInLine(this.#session)],
      ['Asks', needsInput(this.#session)],
      ['Budget', hasSpentItsBudget(this.#session) ? 'exceeded' : undefined],
      ['Cost', status?.cost === undefined ? undefined : `$${status.cost.total}`],
      ['Approved by', status?.approval?.decision === 'Approved' ? status.approval.by : undefined],
      ['Rejected by', status?.approval?.decision === 'Rejected' ? status.approval.by : undefined],
      ['Created', metadata.creationTimestamp],
      ['Started', workload?.startTime],
      ['Ended', workload?.completionTime],
      ['Took', took],
      ['Exit code', workload?.exitCode === undefined ? undefined : String(workload.exitCode)],
      ['Stopped by', status?.stop?.requestedBy],
      ['Reason', status?.stop?.reason ?? status?.approval?.reason],
      ['Name', metadata.name],
    ];
    const message = status?.message;
    return [
      `**${markdownText(titleOf(this.#session))}** — ${STATE_WORDS[state]}`,
      ...(message === undefined ? [] : [markdownText(message)]),
      rows
        .flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${markdownText(value)}`]))
        .join('  \n'),
    ].join('\n\n');
  }
}
