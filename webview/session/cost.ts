/** What the session has cost so far, beside what it may. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import type { CostView } from '../../common/api/panels.ts';
import { factList } from '../kit/facts.ts';
import { meter } from '../kit/meter.ts';

export const cost = ({ total, breakdown, budget }: CostView): TemplateResult => html`
  ${
    budget === undefined
      ? nothing
      : meter({
          label: 'Budget of the session',
          percent: budget.percent,
          text: `${total} of ${budget.limit} spent (${budget.percent} %)`,
          tone: budget.percent >= 100 ? 'bad' : budget.percent >= 80 ? 'warning' : 'good',
        })
  }
  ${factList([
    { label: 'Total', value: total },
    ...breakdown.map(({ name, amount }) => ({ label: name, value: amount })),
  ])}
`;
