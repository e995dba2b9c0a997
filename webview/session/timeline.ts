/** The steps of the session's life from left to right; state by icon and word, never by colour alone. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type { SessionView, StepState, TimelineStep } from '../../common/api/panels.ts';
import type { Content } from '../kit/elements.ts';
import { ringIcon } from '../kit/icons.ts';
import type { IconName } from '../kit/icons.ts';
import { text } from '../kit/text-element.ts';
import { running } from '../kit/time-element.ts';
import { formatClock, formatDuration, formatMoment } from '../kit/time.ts';

const ICONS: Readonly<Record<StepState, IconName>> = {
  done: 'check',
  active: 'dot',
  waiting: 'none',
  failed: 'cross',
  stopped: 'slash',
  skipped: 'dash',
};

export const timeline = ({ timeline: steps }: SessionView): TemplateResult => html`
  <ol class="timeline" aria-label="Timeline">
    ${steps.map(
      (step) => html`
        <li class="step step-${step.state}" aria-current=${step.state === 'active' ? 'step' : nothing}>
          <span class="step-mark">${ringIcon(ICONS[step.state])}${took(step)}</span>
          <span class="step-label">${step.label}<span class="unseen">: ${step.state}</span></span>
          <span class="step-time">${timeOf(step)}</span>
        </li>
      `,
    )}
  </ol>
`;

function timeOf({ at, state, detail }: TimelineStep): Content {
  if (state === 'active' && at !== undefined) return running(at);
  if (at === undefined || state === 'skipped')
    return detail === undefined ? (state === 'skipped' ? 'skipped' : nothing) : text(detail);
  return html`<time datetime=${at} title=${formatMoment(at)}>${formatClock(at)}</time>`;
}

/** How long it was until the next step; whole seconds are as exact as the cluster is. */
const took = ({ durationMs }: TimelineStep): Content =>
  durationMs === undefined || durationMs < 1000
    ? nothing
    : html`<span class="took">${formatDuration(durationMs)}</span>`;
