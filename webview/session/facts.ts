/** Names and values: details, workload, cost, conditions. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type { ConditionRow, CostView, Fact, SessionView } from '../../common/api/panels.ts';
import { empty } from '../kit/elements.ts';
import type { Content } from '../kit/elements.ts';
import { ringIcon } from '../kit/icons.ts';
import type { IconName } from '../kit/icons.ts';
import { meter } from '../kit/meter.ts';
import { text } from '../kit/text-element.ts';
import { ago } from '../kit/time-element.ts';
import { formatMoment } from '../kit/time.ts';

export const factList = (facts: readonly Fact[], whenEmpty = 'Nothing is known yet.'): TemplateResult =>
  facts.length === 0
    ? empty(whenEmpty)
    : html`<dl class="fact-list">
        ${facts.map(
          (fact) => html`
            <div>
              <dt>${fact.label}</dt>
              <dd>${valueOf(fact)}</dd>
            </div>
          `,
        )}
      </dl>`;

function valueOf({ value, kind }: Fact): Content {
  switch (kind) {
    case 'time':
      return html`<time datetime=${value}>${formatMoment(value)}</time>`;
    case 'code':
      return html`<code>${text(value)}</code>`;
    case undefined:
      return text(value);
  }
}

export const cost = ({ total, breakdown, budget }: CostView): TemplateResult => html`
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
  ${factList([
    { label: 'Total', value: total },
    ...breakdown.map(({ name, amount }) => ({ label: name, value: amount })),
  ])}
`;

export function conditions({ conditions: rows, endedAt }: SessionView): TemplateResult {
  if (rows.length === 0) return empty('No conditions yet.');
  return html`<ul class="list">
    ${rows.map((row) => {
      const { icon, tone } = lookOf(row, endedAt !== undefined);
      return html`
        <li class="item condition tone-${tone}">
          ${ringIcon(icon)}
          <div>
            <p class="item-title">
              <strong>${row.type}</strong>
              <span class="quiet"
                >${row.status === 'True' ? nothing : `${row.status} · `}${text(row.reason)}</span
              >
              <span class="when quiet">${ago(row.at)}</span>
            </p>
            ${row.message === '' ? nothing : html`<p>${text(row.message)}</p>`}
          </div>
        </li>
      `;
    })}
  </ul>`;
}

/** False is a wait while the session goes on, and a fault after it. */
function lookOf({ status, good }: ConditionRow, over: boolean): { icon: IconName; tone: string } {
  if (status === 'Unknown') return { icon: 'dash', tone: 'quiet' };
  if (status === 'True') return good ? { icon: 'check', tone: 'good' } : { icon: 'cross', tone: 'bad' };
  if (good) return { icon: 'dash', tone: 'quiet' };
  return over ? { icon: 'cross', tone: 'bad' } : { icon: 'clock', tone: 'waiting' };
}
