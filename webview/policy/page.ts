/** The policy page as a whole: what may be spent, how much runs, what is allowed, who decides. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type {
  DeadLetterRow,
  MeterView,
  NamesView,
  PolicyPageRequests,
  PolicyPageState,
  PolicyRef,
  PolicyView,
  Post,
  RestrictionRow,
} from '../../common/api/panels.ts';
import { badge, button, empty, progressRing, section } from '../kit/elements.ts';
import type { Content } from '../kit/elements.ts';
import { conditionList, factList } from '../kit/facts.ts';
import { ringIcon } from '../kit/icons.ts';
import { meter } from '../kit/meter.ts';
import { problemBanner } from '../kit/problem.ts';
import { text } from '../kit/text-element.ts';
import { ago } from '../kit/time-element.ts';

/** Kept while the page is hidden or VS Code restarts; `ref` is what the extension restores the page from. */
export interface Remembered {
  ref?: PolicyRef;
  /** Ids of sections that the person has closed. */
  closed: string[];
}

export interface PageTools {
  post: Post<PolicyPageRequests>;
  remember: (change: Partial<Remembered>) => void;
}

export function pageOf(
  state: PolicyPageState | undefined,
  remembered: Remembered,
  tools: PageTools,
): TemplateResult {
  const problem = state?.problem;
  return html`
    ${problem === undefined ? nothing : problemBanner(problem, (action) => tools.post('act', { action }))}
    ${
      state === undefined || (state.view === undefined && problem === undefined)
        ? html`<main>${progressRing('Loading the policy…')}</main>`
        : html`${header(state, tools.post)}
            <main>${state.view === undefined ? nothing : content(state.view, remembered, tools)}</main>`
    }
  `;
}

const header = (
  { ref, view, editRefusal }: PolicyPageState,
  post: Post<PolicyPageRequests>,
): TemplateResult => html`
  <header>
    <p class="path">${text(ref.cluster)} <span aria-hidden="true">›</span> ${text(ref.namespace)}</p>
    <h1>Policy of ${text(ref.namespace)}</h1>
    ${
      view === undefined || view.exists
        ? nothing
        : html`<p class="message">
            This namespace has no policy: these defaults hold. They limit how many sessions run at once, and
            nothing else.
          </p>`
    }
    ${view === undefined ? nothing : mistakes(view)}
    ${
      view === undefined
        ? nothing
        : html`<div class="actions" role="group" aria-label="Actions">
              ${button({
                label: view.exists ? 'Edit as YAML' : 'Create a Policy',
                look: 'primary',
                disabled: editRefusal !== undefined,
                ...(editRefusal === undefined ? {} : { why: editRefusal }),
                onClick: () => post('edit', {}),
              })}
            </div>
            ${editRefusal === undefined ? nothing : html`<p class="refusal">${text(editRefusal)}</p>`}`
    }
  </header>
`;

const mistakes = ({ mistakes: found }: PolicyView): Content =>
  found.length === 0
    ? nothing
    : html`<div class="problem" role="alert">
        <p class="problem-title">The policy has ${found.length === 1 ? 'a mistake' : 'mistakes'}</p>
        <ul>
          ${found.map((each) => html`<li>${text(each)}</li>`)}
        </ul>
      </div>`;

function content(view: PolicyView, { closed }: Remembered, { remember }: PageTools): TemplateResult {
  const part = (id: string, title: string, shown: Content, aside?: Content): TemplateResult =>
    section({
      id,
      title,
      ...(aside === undefined ? {} : { aside }),
      open: !closed.includes(id),
      onToggle: (open) => {
        if (open !== !closed.includes(id))
          remember({ closed: open ? closed.filter((each) => each !== id) : [...closed, id] });
      },
      content: shown,
    });
  const { budget, concurrency, deadLetters } = view;
  return html`
    <div class="columns">
      <div class="column">
        ${part('budget', 'Budget', budgetPart(budget))}
        ${part('concurrency', 'Sessions at once', html`${bar(concurrency.meter)}${factList(concurrency.facts)}`)}
        ${part('frameworks', 'Frameworks', names(view.frameworks, 'framework'))}
        ${part('models', 'Models', names(view.models, 'model'))}
        ${part('tools', 'Tools', names(view.tools, 'tool'))}
        ${part('restrictions', 'Restrictions', restrictions(view.restrictions))}
      </div>
      <div class="column">
        ${part('approval', 'Approval', factList(view.approval))}
        ${part('retention', 'Kept for', factList(view.retention))}
        ${part(
          'notifications',
          'Notifications',
          html`${factList(view.notifications, 'Nobody is told of anything.')}${letters(deadLetters)}`,
          deadLetters.length === 0 ? undefined : badge(deadLetters.length, 'not delivered'),
        )}
        ${part('webhooks', 'Webhooks that launch sessions', factList(view.webhooks, 'None may.'))}
        ${part('conditions', 'Conditions', conditionList(view.conditions, true))}
      </div>
    </div>
  `;
}

const bar = (view: MeterView | undefined): Content => (view === undefined ? nothing : meter(view));

const budgetPart = (budget: PolicyView['budget']): Content =>
  budget === undefined
    ? empty('No budget: what sessions spend is not limited.')
    : html`
        ${bar(budget.meter)}
        ${budget.notice === undefined ? nothing : html`<p class="note" role="status">${budget.notice}</p>`}
        ${factList(budget.facts)}
      `;

function names({ allowed, blocked }: NamesView, what: string): Content {
  const list = (globs: readonly string[]): Content =>
    html`<ul class="globs">
      ${globs.map((glob) => html`<li><code>${text(glob)}</code></li>`)}
    </ul>`;
  return html`
    <dl class="fact-list">
      <div>
        <dt>Allowed</dt>
        <dd>
          ${allowed === undefined ? `every ${what} that is not blocked` : allowed.length === 0 ? 'none' : list(allowed)}
        </dd>
      </div>
      <div>
        <dt>Blocked</dt>
        <dd>${blocked.length === 0 ? 'none' : list(blocked)}</dd>
      </div>
    </dl>
  `;
}

const restrictions = (rows: readonly RestrictionRow[]): Content =>
  html`<ul class="list">
    ${rows.map(
      ({ label, isRestricted, text: what }) => html`
        <li class="item condition ${isRestricted ? 'tone-waiting' : 'tone-quiet'}">
          ${ringIcon(isRestricted ? 'slash' : 'dash')}
          <p class="item-title">
            <strong>${label}</strong
            ><span class="quiet">${isRestricted ? 'restricted' : 'open'}: ${what}</span>
          </p>
        </li>
      `,
    )}
  </ul>`;

const letters = (rows: readonly DeadLetterRow[]): Content =>
  rows.length === 0
    ? nothing
    : html`<ul class="list" aria-label="Notifications that could not be delivered">
        ${rows.map(
          ({ event, target, session, at, reason }) => html`
            <li class="item condition tone-bad">
              ${ringIcon('cross')}
              <div>
                <p class="item-title">
                  <strong>${text(event)}</strong>
                  <span class="quiet">to ${text(target)}</span>
                  <span class="when quiet">${ago(at)}</span>
                </p>
                <p>${session === '' ? nothing : html`${text(session)}: `}${text(reason)}</p>
              </div>
            </li>
          `,
        )}
      </ul>`;
