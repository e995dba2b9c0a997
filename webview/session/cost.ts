/** What the session has cost so far, beside what it may; where somebody may let it spend more, how. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type { CostView, Post, SessionPageRequests, SessionRefusals } from '../../common/api/panels.ts';
import { button } from '../kit/elements.ts';
import { factList } from '../kit/facts.ts';
import { meter } from '../kit/meter.ts';
import { text } from '../kit/text-element.ts';

export const cost = (
  { total, breakdown, budget, canRaise, paused }: CostView,
  refusals: SessionRefusals,
  post: Post<SessionPageRequests>,
): TemplateResult => html`
  ${paused === undefined ? nothing : html`<p class="note" role="note">${text(paused)}</p>`}
  ${
    budget === undefined
      ? nothing
      : meter({
          label: 'Budget of the session',
          percent: budget.percent,
          text: `${total} of ${budget.limit} spent (${budget.percent} %)`,
          tone: budget.percent >= 100 ? 'bad' : budget.percent >= 80 ? 'warning' : 'good',
        })
  }
  ${
    canRaise || paused !== undefined
      ? html`<div class="actions">
          ${button({
            label: 'Raise Budget…',
            look: paused === undefined ? 'secondary' : 'primary',
            disabled: refusals.budget !== undefined,
            ...(refusals.budget === undefined ? {} : { why: refusals.budget }),
            onClick: () => post('raiseBudget', {}),
          })}
        </div>`
      : nothing
  }
  ${factList([
    { label: 'Total', value: total },
    ...breakdown.map(({ name, amount }) => ({ label: name, value: amount })),
  ])}
`;
