/** The session page as a whole: header, timeline, and below it two columns that become one where there is no room. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type {
  PageRef,
  Post,
  SessionPageRequests,
  SessionPageState,
  SessionRefusals,
  SessionView,
} from '../../common/api/panels.ts';
import { badge, progressRing, section } from '../kit/elements.ts';
import type { Content } from '../kit/elements.ts';
import { conditionList, factList } from '../kit/facts.ts';
import { problemBanner } from '../kit/problem.ts';
import { visible } from '../kit/visible-text.ts';
import { approval } from './approval.ts';
import { artifacts } from './artifacts.ts';
import { changes } from './changes.ts';
import { conversation } from './conversation.ts';
import type { ConversationModel } from './conversation-model.ts';
import { cost } from './cost.ts';
import { header } from './header.ts';
import { history } from './history.ts';
import { logTail } from './log.ts';
import type { LogModel } from './log.ts';
import { refusalToTalk, talkBox } from './talk-box.ts';
import type { TalkDraft } from './talk-box.ts';
import { timeline } from './timeline.ts';
import { usage } from './usage.ts';

export interface PageModel {
  state?: SessionPageState;
  log: LogModel;
  conversation: ConversationModel;
  draft: TalkDraft;
}

/** Kept while the page is hidden or VS Code restarts; `ref` is what the extension restores the page from. */
export interface Remembered {
  ref?: PageRef;
  scroll: number;
  /** Ids of sections that the person has closed. */
  closed: string[];
  allHistory: boolean;
  /** What the person was about to say. */
  draft?: string;
}

export interface PageTools {
  post: Post<SessionPageRequests>;
  remember: (change: Partial<Remembered>) => void;
  /** What stands in the box is another one. */
  draft: (words: string) => void;
  /** Says it: what stands in the box, or a given answer. */
  say: (answer?: string) => void;
}

export function pageOf(model: PageModel, remembered: Remembered, tools: PageTools): TemplateResult {
  const { state } = model;
  const view = state?.view;
  const problem = state?.problem;
  return html`
    <div class="unseen" role="status" aria-live="polite">
      ${view === undefined ? '' : `${visible(view.title)}: ${view.stateWord}`}
    </div>
    ${problem === undefined ? nothing : problemBanner(problem, (action) => tools.post('act', { action }))}
    ${
      state === undefined || view === undefined
        ? problem === undefined
          ? html`<main>${progressRing('Loading the session…')}</main>`
          : html`<main class="bare">${whichSession(state?.ref)}</main>`
        : sessionPage(state.ref, view, state.refusals ?? {}, model, remembered, tools)
    }
  `;
}

const whichSession = (ref: PageRef | undefined): Content =>
  ref === undefined
    ? nothing
    : html`<h1>${visible(ref.name)}</h1>
        <p class="path">${visible(ref.cluster)} › ${visible(ref.namespace)}</p>`;

function sessionPage(
  ref: PageRef,
  view: SessionView,
  refusals: SessionRefusals,
  { log, conversation: talk, draft }: PageModel,
  remembered: Remembered,
  { post, remember, draft: onInput, say }: PageTools,
): TemplateResult {
  const mayTalk = view.talk !== undefined && refusalToTalk(view.talk, refusals) === undefined;
  const part = (id: string, title: string, content: Content, aside?: Content): TemplateResult =>
    section({
      id,
      title,
      ...(aside === undefined ? {} : { aside }),
      open: !remembered.closed.includes(id),
      onToggle: (open) => {
        const closed = remembered.closed.filter((each) => each !== id);
        if (open !== !remembered.closed.includes(id)) remember({ closed: open ? closed : [...closed, id] });
      },
      content,
    });
  const { total } = view.artifacts;
  return html`
    ${header(ref, view, refusals, post)}
    <main>
      ${view.approval === undefined ? nothing : approval(view.approval, refusals, post)} ${timeline(view)}
      <div class="columns">
        <div class="column">
          ${
            talk.hasTalk || view.talk !== undefined
              ? part(
                  'conversation',
                  'Conversation',
                  html`${talk.entries.length === 0 ? nothing : conversation(talk, view, post, mayTalk ? say : undefined)}
                  ${
                    view.talk === undefined
                      ? nothing
                      : talkBox({
                          talk: view.talk,
                          refusals,
                          draft,
                          heard: talk.heard,
                          onInput,
                          onSend: () => say(),
                        })
                  }`,
                )
              : nothing
          }
          ${part('log', 'Log', logTail(log, view, post))}
          ${
            talk.changes.length === 0
              ? nothing
              : part(
                  'changes',
                  'Files Changed',
                  changes(talk.changes, talk.moreChanges, post),
                  badge(
                    talk.changes.length + talk.moreChanges,
                    `${talk.changes.length + talk.moreChanges} in all`,
                  ),
                )
          }
          ${part(
            'artifacts',
            'Artifacts',
            artifacts(view, post),
            total === 0 ? undefined : badge(total, `${total} in all`),
          )}
          ${part(
            'history',
            'History',
            history(view, remembered.allHistory, () => remember({ allHistory: true })),
          )}
        </div>
        <div class="column">
          ${part('details', 'Details', factList(view.details))}
          ${view.cost === undefined ? nothing : part('cost', 'Cost', cost(view.cost, refusals, post))}
          ${talk.usage === undefined ? nothing : part('usage', 'Usage', usage(talk.usage))}
          ${part('conditions', 'Conditions', conditionList(view.conditions, view.endedAt !== undefined))}
          ${part('workload', 'Workload', factList(view.workload, 'No workload yet.'))}
        </div>
      </div>
    </main>
  `;
}
