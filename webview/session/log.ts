/** The end of the log. Its lines are agent output: text and nothing else. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { LogLine, LogUpdate, Post, SessionPageRequests, SessionView } from '../../common/api/panels.ts';
import { empty } from '../kit/elements.ts';
import type { Content } from '../kit/elements.ts';
import { text } from '../kit/text-element.ts';
import { formatClock, formatMoment } from '../kit/time.ts';

export interface LogModel {
  lines: LogLine[];
  state: LogUpdate['state'];
  problem?: string;
}

export function logTail(
  { lines, state, problem }: LogModel,
  view: SessionView,
  post: Post<SessionPageRequests>,
): TemplateResult {
  const fault =
    problem === undefined || view.deleted
      ? nothing
      : html`<p class="note" role="note">
          ${text(problem)} <button type="button" class="link" @click=${() => post('retry', {})}>Retry</button>
        </p>`;
  if (lines.length === 0)
    return html`${fault}${fault === nothing ? empty(nothingYet(state, view)) : nothing}`;
  const [first] = lines;
  return html`
    ${fault}
    ${
      first === undefined || first.seq === 1
        ? nothing
        : html`<p class="quiet">
            The last ${lines.length} lines.
            <button type="button" class="link" @click=${() => post('openLog', {})}>Open the whole log</button>
          </p>`
    }
    <div class="log" role="log" aria-live="off" aria-label="End of the log" tabindex="0">
      ${repeat(lines, ({ seq }) => seq, lineRow)}
    </div>
  `;
}

function nothingYet(state: LogUpdate['state'], { startedAt, endedAt, deleted }: SessionView): string {
  if (deleted) return 'The log was deleted with the session.';
  if (endedAt !== undefined && startedAt === undefined) return 'The session ended before it wrote a log.';
  if (state === 'ended') return 'The log is empty.';
  return startedAt === undefined ? 'The log begins when the pod runs.' : 'No output yet.';
}

const lineRow = ({ time, type, text: said, stream, name }: LogLine): TemplateResult => html`
  <div class="line line-${type} ${stream === 'stderr' ? 'line-stderr' : ''}">
    <time class="line-time" datetime=${time} title=${formatMoment(time)}>${formatClock(time)}</time>
    <span class="line-text"
      >${stream === 'stderr' ? html`<span class="unseen">stderr: </span>` : nothing}${tag(type, name)}${text(said)}</span
    >
  </div>
`;

const tag = (type: LogLine['type'], name: string | undefined): Content =>
  type === 'output'
    ? nothing
    : html`<span class="line-tag">${type}${name === undefined ? nothing : html` ${text(name)}`}</span> `;
