/** Which session this is, how it stands, and what one can do with it. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type {
  PageRef,
  Post,
  SessionPageRequests,
  SessionRefusals,
  SessionView,
  SessionViewState,
} from '../../common/api/panels.ts';
import { button } from '../kit/elements.ts';
import type { Content } from '../kit/elements.ts';
import { ringIcon } from '../kit/icons.ts';
import type { IconName } from '../kit/icons.ts';
import { text } from '../kit/text-element.ts';
import { ago, running } from '../kit/time-element.ts';
import { formatDuration } from '../kit/time.ts';

const ICONS: Readonly<Record<SessionViewState, IconName>> = {
  deleting: 'trash',
  approval: 'question',
  input: 'question',
  attention: 'bell',
  pending: 'clock',
  running: 'play',
  stopping: 'square',
  completed: 'check',
  stopped: 'slash',
  failed: 'cross',
};

export const header = (
  ref: PageRef,
  view: SessionView,
  refusals: SessionRefusals,
  post: Post<SessionPageRequests>,
): TemplateResult => html`
  <header>
    <p class="path">${text(ref.cluster)} <span aria-hidden="true">›</span> ${text(ref.namespace)}</p>
    <div class="title">
      <h1>${text(view.title)}</h1>
      <span class="state state-${view.state}"
        >${ringIcon(ICONS[view.state])}<span class="state-word">${view.stateWord}</span></span
      >
    </div>
    <p class="facts">
      ${view.title === ref.name ? nothing : html`<code>${text(ref.name)}</code>`}
      ${view.createdAt === undefined ? nothing : html`<span>created ${ago(view.createdAt)}</span>`}
      ${ranFor(view)}
    </p>
    ${
      messageOf(view) === undefined || view.state === 'stopping'
        ? nothing
        : html`<p class="message state-${view.state}">${text(messageOf(view) ?? '')}</p>`
    }
    ${view.queue === undefined ? nothing : html`<p class="message state-pending">${text(view.queue)}</p>`}
    ${stopping(view)}
    <div class="actions" role="group" aria-label="Actions">
      ${view.deleted ? nothing : button({ label: 'Open Log', look: view.approval?.state === 'waiting' ? 'secondary' : 'primary', onClick: () => post('openLog', {}) })}
      ${
        view.canStop
          ? button({ label: 'Stop…', ...refusable(refusals.stop), onClick: () => post('stop', {}) })
          : nothing
      }
      ${view.pushed === true ? button({ label: 'Open Result Branch', onClick: () => post('openResult', {}) }) : nothing}
      ${
        view.canResume
          ? button({ label: 'Resume…', ...refusable(refusals.resume), onClick: () => post('resume', {}) })
          : nothing
      }
      ${
        view.talk !== undefined && view.talk.closed === undefined
          ? button({
              label: 'Interrupt',
              ...refusable(refusals.interrupt),
              onClick: () => post('interrupt', {}),
            })
          : nothing
      }
      ${view.deleted ? nothing : button({ label: 'Open YAML', onClick: () => post('openYaml', {}) })}
      ${view.triggered === true ? button({ label: 'Event', onClick: () => post('openTrigger', {}) }) : nothing}
      ${button({ label: 'Copy Name', onClick: () => post('copyName', {}) })}
      ${
        view.deleted
          ? nothing
          : button({
              label: 'Audit Records',
              ...refusable(refusals.audit),
              onClick: () => post('openAudit', {}),
            })
      }
      ${
        view.canDelete
          ? button({ label: 'Delete…', ...refusable(refusals.delete), onClick: () => post('delete', {}) })
          : nothing
      }
    </div>
  </header>
`;

/** What it waits for a person for comes before where it runs. */
function messageOf({ state, message, talk, cost }: SessionView): string | undefined {
  const asked = state === 'input' ? talk?.question : state === 'attention' ? cost?.paused : undefined;
  return asked ?? (message === '' ? undefined : message);
}

/** What the person may not do is there, but cannot be pressed, and says why. */
const refusable = (reason: string | undefined): { disabled: boolean; why?: string } =>
  reason === undefined ? { disabled: false } : { disabled: true, why: reason };

function ranFor({ startedAt, endedAt }: SessionView): Content {
  if (startedAt === undefined) return nothing;
  if (endedAt === undefined) return html`<span>running for ${running(startedAt)}</span>`;
  return html`<span>ran for ${formatDuration(Date.parse(endedAt) - Date.parse(startedAt))}</span>
    <span>ended ${ago(endedAt)}</span>`;
}

function stopping({ stop, state }: SessionView): Content {
  if (stop === undefined || state !== 'stopping') return nothing;
  return html`<p class="message state-stopping">
    ${text(stop.requestedBy)} asked it to stop
    ${ago(stop.requestedAt)}${stop.reason === undefined ? '' : html`: ${text(stop.reason)}`}. It is killed if
    it has not ended after ${formatDuration(stop.gracePeriodSeconds * 1000)}.
  </p>`;
}
