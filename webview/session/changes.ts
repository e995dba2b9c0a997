/** Files that the agent says it has changed: each opens what was changed in it. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type { ChangedFile, Post, SessionPageRequests } from '../../common/api/panels.ts';
import { table } from '../kit/elements.ts';
import { text } from '../kit/text-element.ts';
import { ago } from '../kit/time-element.ts';

export const changes = (
  rows: readonly ChangedFile[],
  more: number,
  post: Post<SessionPageRequests>,
): TemplateResult => html`
  ${table({
    caption: 'Files changed',
    rows,
    columns: [
      {
        title: 'File',
        kind: 'header',
        cell: ({ path, how }) =>
          html`<button type="button" class="link" @click=${() => post('openChange', { path })}>
              ${text(path)}</button
            ><br /><span class="quiet">${text(how)}</span>`,
      },
      { title: 'Last', kind: 'narrow', cell: ({ at }) => ago(at) },
    ],
  })}
  ${more === 0 ? nothing : html`<p class="quiet">${more.toLocaleString('en')} more were changed before these.</p>`}
`;
