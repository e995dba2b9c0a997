/** Tokens and cost over time: a small picture, and a table that says the same. */
import { html, nothing, svg } from 'lit';
import type { TemplateResult } from 'lit';
import type { UsagePoint, UsageView } from '../../common/api/panels.ts';
import { table } from '../kit/elements.ts';
import { formatClock } from '../kit/time.ts';

const WIDTH = 320;
const HEIGHT = 72;
const ROWS = 12;

const tokens = (count: number): string => count.toLocaleString('en');
const dollars = (amount: number): string => `$${amount < 1 ? amount.toFixed(4) : amount.toFixed(2)}`;

export function usage({ points, hasCost }: UsageView): TemplateResult {
  const last = points.at(-1);
  if (last === undefined) return html``;
  const all = last.inputTokens + last.outputTokens;
  return html`
    <p>
      ${tokens(last.inputTokens)} tokens in, ${tokens(last.outputTokens)}
      out${hasCost ? html`, ${dollars(last.cost)} as the agent counts` : nothing}
    </p>
    ${
      points.length < 2
        ? nothing
        : html`
            <svg
              class="plot"
              viewBox="0 0 ${WIDTH} ${HEIGHT}"
              preserveAspectRatio="none"
              role="img"
              aria-label=${`Tokens${hasCost ? ' and cost' : ''} over time, rising to ${tokens(all)} tokens${
                hasCost ? ` and ${dollars(last.cost)}` : ''
              }`}
            >
              ${svg`<path class="plot-tokens" d=${line(points, (point) => point.inputTokens + point.outputTokens)} />`}
              ${hasCost ? svg`<path class="plot-cost" d=${line(points, (point) => point.cost)} />` : nothing}
            </svg>
            <p class="plot-key quiet">
              <span class="key key-tokens">Tokens</span>${
                hasCost ? html` <span class="key key-cost">Cost</span>` : nothing
              }
              <span>${formatClock(points[0]?.at ?? '')} to ${formatClock(last.at)}</span>
            </p>
          `
    }
    <details class="fold">
      <summary>As a table</summary>
      <div class="fold-content">
        ${table<UsagePoint>({
          caption: 'Tokens and cost over time, summed up',
          rows: sampled(points),
          columns: [
            { title: 'Time', cell: ({ at }) => formatClock(at) },
            { title: 'In', kind: 'number', cell: ({ inputTokens }) => tokens(inputTokens) },
            { title: 'Out', kind: 'number', cell: ({ outputTokens }) => tokens(outputTokens) },
            ...(hasCost
              ? [{ title: 'Cost', kind: 'number' as const, cell: ({ cost }: UsagePoint) => dollars(cost) }]
              : []),
          ],
        })}
      </div>
    </details>
  `;
}

/** In steps: what was used is used at once, not little by little. */
function line(points: readonly UsagePoint[], of: (point: UsagePoint) => number): string {
  const start = Date.parse(points[0]?.at ?? '');
  const end = Date.parse(points.at(-1)?.at ?? '');
  const top = Math.max(...points.map(of), Number.MIN_VALUE);
  const span = end - start;
  const place = (point: UsagePoint, index: number): [string, string] => {
    const x = span > 0 ? (Date.parse(point.at) - start) / span : index / (points.length - 1);
    return [(x * (WIDTH - 4) + 2).toFixed(1), (HEIGHT - 3 - (of(point) / top) * (HEIGHT - 6)).toFixed(1)];
  };
  return points
    .map(place)
    .map(([x, y], index) => (index === 0 ? `M${x} ${y}` : `H${x}V${y}`))
    .join('');
}

/** The last, and as many as one can read before it. */
function sampled(points: readonly UsagePoint[]): UsagePoint[] {
  const step = Math.ceil(points.length / ROWS);
  return points.filter((_, index) => (points.length - 1 - index) % step === 0);
}
