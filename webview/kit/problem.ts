/** What is in the way, what to do about it, and the buttons that do it. */
import { html } from 'lit';
import type { TemplateResult } from 'lit';
import type { PageProblem } from '../../common/api/panels.ts';
import { button } from './elements.ts';
import { text } from './text-element.ts';

export const problemBanner = (
  { title, message, remedy, actions }: PageProblem,
  act: (action: string) => void,
): TemplateResult => html`
  <div class="problem" role="alert">
    <p class="problem-title">${text(title)}</p>
    <p>${text(message)}</p>
    <p>${text(remedy)}</p>
    <div class="actions">
      ${actions.map(({ id, title: label }, index) =>
        button({
          label,
          look: index === 0 ? 'primary' : 'secondary',
          onClick: () => act(id),
        }),
      )}
    </div>
  </div>
`;
