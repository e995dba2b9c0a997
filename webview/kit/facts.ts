/** Names and values, and conditions of an object. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type { ConditionRow, Fact } from '../../common/api/panels.ts';
import { empty } from './elements.ts';
import type { Content } from './elements.ts';
import { ringIcon } from './icons.ts';
import type { IconName } from './icons.ts';
import { text } from './text-element.ts';
import { ago } from './time-element.ts';
import { formatMoment } from './time.ts';

export const factList = (facts: readonly Fact[], whenEmpty = 'Nothing is known yet.'): TemplateResult =>
  facts.length === 0
    ? empty(whenEmpty)
    : html`<dl class="fact-list">
        ${facts.map(
          (fact) => html`
            <div>
              <dt>${text(fact.label)}</dt>
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

/** `isOver`: nothing is waited for any more. */
export function conditionList(rows: readonly ConditionRow[], isOver: boolean): TemplateResult {
  if (rows.length === 0) return empty('No conditions yet.');
  return html`<ul class="list">
    ${rows.map((row) => {
      const { icon, tone } = lookOf(row, isOver);
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

/** False is a wait while it goes on, and a fault after it. */
function lookOf({ status, good }: ConditionRow, over: boolean): { icon: IconName; tone: string } {
  if (status === 'Unknown') return { icon: 'dash', tone: 'quiet' };
  if (status === 'True') return good ? { icon: 'check', tone: 'good' } : { icon: 'cross', tone: 'bad' };
  if (good) return { icon: 'dash', tone: 'quiet' };
  return over ? { icon: 'cross', tone: 'bad' } : { icon: 'clock', tone: 'waiting' };
}
