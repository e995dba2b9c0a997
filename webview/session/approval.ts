/** What waits for an approver: who asks for what, who may decide, and the decision once there is one. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type { ApprovalView, Post, SessionPageRequests, SessionRefusals } from '../../common/api/panels.ts';
import { button } from '../kit/elements.ts';
import type { Content } from '../kit/elements.ts';
import { factList } from '../kit/facts.ts';
import { ringIcon } from '../kit/icons.ts';
import type { IconName } from '../kit/icons.ts';
import { text } from '../kit/text-element.ts';
import { ago } from '../kit/time-element.ts';

const HEADINGS: Readonly<Record<ApprovalView['state'], { title: string; icon: IconName }>> = {
  waiting: { title: 'Waits for approval', icon: 'question' },
  approved: { title: 'Approved', icon: 'check' },
  rejected: { title: 'Rejected', icon: 'cross' },
};

export function approval(
  view: ApprovalView,
  refusals: SessionRefusals,
  post: Post<SessionPageRequests>,
): TemplateResult {
  const { title, icon } = HEADINGS[view.state];
  return html`
    <section class="approval approval-${view.state}" aria-labelledby="approval-title">
      <h2 id="approval-title">${ringIcon(icon)}${title}</h2>
      ${decision(view)} ${view.state === 'waiting' ? question(view, refusals, post) : nothing}
    </section>
  `;
}

function decision({ decision: made }: ApprovalView): Content {
  if (made === undefined) return nothing;
  return html`<p>
    By ${text(made.by)} ${ago(made.at)}${made.reason === undefined ? '.' : html`: ${text(made.reason)}`}
  </p>`;
}

const question = (
  { tasks, asked, approvers }: ApprovalView,
  refusals: SessionRefusals,
  post: Post<SessionPageRequests>,
): TemplateResult => html`
  ${tasks.map(
    ({ label, value }) => html`
      <h3>${text(label)}</h3>
      <pre class="task" tabindex="0" aria-label=${label}>${text(value)}</pre>
    `,
  )}
  ${factList([...asked, { label: 'Who may decide', value: approvers }])}
  <div class="actions" role="group" aria-label="Decision">
    ${button({
      label: 'Approve…',
      look: 'primary',
      disabled: refusals.approve !== undefined,
      onClick: () => post('approve', {}),
    })}
    ${button({
      label: 'Reject…',
      disabled: refusals.reject !== undefined,
      onClick: () => post('reject', {}),
    })}
    ${button({ label: 'Open Policy', onClick: () => post('openPolicy', {}) })}
  </div>
  ${[...new Set([refusals.approve, refusals.reject])].map((reason) =>
    reason === undefined ? nothing : html`<p class="refusal">${text(reason)}</p>`,
  )}
`;
