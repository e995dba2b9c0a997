/** Who did what when, newest first. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type { SessionView } from '../../common/api/panels.ts';
import { button, empty, table } from '../kit/elements.ts';
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
    ${table({
      caption: 'History, newest first',
      rows: shown,
      columns: [
        {
          title: 'Time',
          kind: 'narrow',
          cell: ({ at }) => html`<time datetime=${at}>${formatMoment(at)}</time>`,
        },
        { title: 'Event', kind: 'header', cell: ({ event }) => text(event) },
        { title: 'By', cell: ({ actor }) => text(actor) },
        { title: 'Details', cell: ({ data }) => text(data) },
      ],
    })}
    ${more === 0 ? nothing : button({ label: `Show ${more} older entries`, onClick: showAll })}
    ${
      historyArchived === 0
        ? nothing
        : html`<p class="quiet">
            ${historyArchived} older entries are archived with the session's artifacts.
          </p>`
    }
  `;
}
