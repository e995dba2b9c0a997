/** Who did what when, newest first. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type { HistoryRow, SessionView } from '../../common/api/panels.ts';
import { button, empty } from '../kit/elements.ts';
import { text } from '../kit/text-element.ts';
import { formatMoment } from '../kit/time.ts';

const SHORT = 20;

export function history(
  { history: rows, historyArchived }: SessionView,
  all: boolean,
  showAll: () => void,
): TemplateResult {
  if (rows.length === 0) return empty('Nothing has happened yet.');
  const shown = all ? rows : rows.slice(0, SHORT);
  const more = rows.length - shown.length;
  return html`
    <ol class="list" aria-label="History, newest first">
      ${shown.map(entry)}
    </ol>
    ${
      more === 0
        ? nothing
        : html`<div class="actions">
            ${button({ label: `Show ${more} older entries`, onClick: showAll })}
          </div>`
    }
    ${
      historyArchived === 0
        ? nothing
        : html`<p class="quiet">
            ${historyArchived} older entries are archived with the session's artifacts.
          </p>`
    }
  `;
}

const entry = ({ at, event, actor, data }: HistoryRow): TemplateResult => html`
  <li class="item">
    <p class="item-title">
      <strong>${text(event)}</strong>
      <span class="quiet">by ${text(actor)}</span>
      <time class="when quiet" datetime=${at}>${formatMoment(at)}</time>
    </p>
    ${data === '' ? nothing : html`<p>${text(data)}</p>`}
  </li>
`;
