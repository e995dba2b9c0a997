/** What pages are made of: buttons, badges, tables, sections. The elements behind them can be exchanged here. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { live } from 'lit/directives/live.js';
import './toolkit.ts';
import { visible } from './visible-text.ts';

export type Content = TemplateResult | string | typeof nothing;

export interface ButtonOptions {
  label: string;
  onClick: () => void;
  look?: 'primary' | 'secondary' | 'icon';
  /** What it is about, where the label alone does not tell: `Save report.md`. */
  spoken?: string;
  disabled?: boolean;
  /** Why it is disabled: shown as a tooltip and read out. */
  why?: string;
}

export const button = ({
  label,
  onClick,
  look = 'secondary',
  spoken,
  disabled = false,
  why,
}: ButtonOptions) => html`
  <vscode-button
    appearance=${look}
    aria-label=${why === undefined ? (spoken ?? label) : `${spoken ?? label} (${visible(why)})`}
    title=${why === undefined ? nothing : visible(why)}
    ?disabled=${disabled}
    @click=${onClick}
    >${label}</vscode-button
  >
`;

/** A number beside a heading. */
export const badge = (text: string | number, spoken: string): TemplateResult => html`
  <span class="badge" aria-hidden="true">${text}</span><span class="unseen">, ${spoken}</span>
`;

export const divider = (): TemplateResult => html`<vscode-divider role="presentation"></vscode-divider>`;

export const progressRing = (label: string): TemplateResult => html`
  <div class="progress" role="status">
    <vscode-progress-ring aria-hidden="true"></vscode-progress-ring><span>${label}</span>
  </div>
`;

export interface Column<Row> {
  title: string;
  cell: (row: Row) => Content;
  /** The column that names the row is its header; a narrow one is left out where there is no room. */
  kind?: 'header' | 'narrow' | 'number' | 'row-action';
}

export interface TableOptions<Row> {
  /** Read out, and not shown: the heading above says the same. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
}

export const table = <Row>({ caption, columns, rows }: TableOptions<Row>): TemplateResult => html`
  <table>
    <caption class="unseen">
      ${caption}
    </caption>
    <thead>
      <tr>
        ${columns.map(
          ({ title, kind }) =>
            html`<th scope="col" class=${kind ?? ''}>
              ${kind === 'row-action' ? html`<span class="unseen">${title}</span>` : title}
            </th>`,
        )}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) => html`
          <tr>
            ${columns.map(({ cell, kind }) =>
              kind === 'header'
                ? html`<th scope="row">${cell(row)}</th>`
                : html`<td class=${kind ?? ''}>${cell(row)}</td>`,
            )}
          </tr>
        `,
      )}
    </tbody>
  </table>
`;

export interface SectionOptions {
  id: string;
  title: string;
  /** Beside the title: a badge. */
  aside?: Content;
  open: boolean;
  onToggle: (open: boolean) => void;
  content: Content;
}

/** A heading that opens and closes what stands below it. */
export const section = ({
  id,
  title,
  aside,
  open,
  onToggle,
  content,
}: SectionOptions): TemplateResult => html`
  <details
    class="section"
    id=${id}
    .open=${live(open)}
    @toggle=${(event: Event) => onToggle((event.currentTarget as HTMLDetailsElement).open)}
  >
    <summary><h2>${title}${aside === undefined ? nothing : aside}</h2></summary>
    <div class="section-content">${content}</div>
  </details>
`;

export const empty = (text: string): TemplateResult => html`<p class="empty">${text}</p>`;
