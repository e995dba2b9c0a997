/** What the session made: each opens in an editor, or is saved. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type { Post, SessionPageRequests, SessionView } from '../../common/api/panels.ts';
import { button, empty, table } from '../kit/elements.ts';
import { text } from '../kit/text-element.ts';
import { ago } from '../kit/time-element.ts';
import { visible } from '../kit/visible-text.ts';

export function artifacts(
  { artifacts: { rows, total, records, totalSize, note }, endedAt }: SessionView,
  post: Post<SessionPageRequests>,
): TemplateResult {
  const remark = note === undefined ? nothing : html`<p class="note" role="note">${text(note)}</p>`;
  if (rows.length === 0)
    return html`${remark}${
      total === 0 ? empty(endedAt === undefined ? 'No artifacts yet.' : 'No artifacts.') : nothing
    }`;
  return html`
    ${remark}
    ${table({
      caption: 'Artifacts',
      rows,
      columns: [
        {
          title: 'Name',
          kind: 'header',
          cell: ({ path, type, contentType }) =>
            html`<button type="button" class="link" @click=${() => post('openArtifact', { path })}>
                ${text(path)}</button
              ><br /><span class="quiet">${type} · ${text(contentType)}</span>`,
        },
        { title: 'Size', kind: 'number', cell: ({ size }) => size },
        { title: 'Made', kind: 'narrow', cell: ({ createdAt }) => ago(createdAt) },
        {
          title: 'Actions',
          kind: 'row-action',
          cell: ({ path }) =>
            button({
              label: 'Save…',
              spoken: `Save ${visible(path)}`,
              onClick: () => post('saveArtifact', { path }),
            }),
        },
      ],
    })}
    <p class="quiet">
      ${total === 1 ? '1 artifact' : `${total} artifacts`},
      ${totalSize}${records === 0 ? nothing : html`; ${records} more about the session itself`}
    </p>
  `;
}
