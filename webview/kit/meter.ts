/** How much of a limit is used: a bar, and the words that say the same. */
import { html, svg } from 'lit';
import type { TemplateResult } from 'lit';

export interface MeterOptions {
  /** What is measured, for screen readers. */
  label: string;
  /** More than 100 is shown as 100; the text tells how much. */
  percent: number;
  /** Of these, what is held but not used yet. */
  heldPercent?: number;
  text: string;
  tone: 'good' | 'warning' | 'bad';
}

const within = (percent: number): number => Math.min(100, Math.max(0, percent));

/** Drawn as a picture: its size is an attribute, where a style would be refused by the page's policy. */
export function meter({ label, percent, heldPercent = 0, text, tone }: MeterOptions): TemplateResult {
  const used = within(percent);
  const held = Math.min(within(heldPercent), 100 - used);
  return html`
    <div
      class="meter meter-${tone}"
      role="meter"
      aria-label=${label}
      aria-valuemin="0"
      aria-valuemax="100"
      aria-valuenow=${used}
      aria-valuetext=${text}
    >
      <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false">
        <rect class="meter-ground" x="0" y="0" width="100" height="1" />
        ${svg`<rect class="meter-used" x="0" y="0" width=${used} height="1" />`}
        ${held === 0 ? svg`` : svg`<rect class="meter-held" x=${used} y="0" width=${held} height="1" />`}
      </svg>
      <span aria-hidden="true">${text}</span>
    </div>
  `;
}
