/** Small pictures drawn in the colour of the text around them; always beside a word, hence hidden from screen readers. */
import { html, svg } from 'lit';
import type { TemplateResult } from 'lit';

const SHAPES = {
  check: svg`<path d="m3.5 8.5 3 3 6-7" />`,
  cross: svg`<path d="m4.5 4.5 7 7m0-7-7 7" />`,
  clock: svg`<path d="M8 4.5V8l2.5 1.5" />`,
  play: svg`<path class="filled" d="M6.5 5v6l4.5-3z" />`,
  square: svg`<rect class="filled" x="5.5" y="5.5" width="5" height="5" rx=".5" />`,
  slash: svg`<path d="m4.5 11.5 7-7" />`,
  dash: svg`<path d="M5 8h6" />`,
  bell: svg`<path d="M8 4.5v4.2M8 11v.4" />`,
  question: svg`<path d="M6 6.3c0-1.2.9-2 2-2s2 .8 2 1.9c0 1.5-2 1.6-2 3M8 11.3v.3" />`,
  trash: svg`<path d="M5 6h6M6 6l.5 5h3L10 6M7 6V4.8h2V6" />`,
  none: svg``,
  dot: svg`<circle class="filled" cx="8" cy="8" r="2" />`,
} as const;
export type IconName = keyof typeof SHAPES;

/** In a ring, as states are shown. */
export const ringIcon = (name: IconName): TemplateResult => html`
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    <circle class="ring" cx="8" cy="8" r="7.2" />
    ${SHAPES[name]}
  </svg>
`;
