/** `<ambient-time>`: how long ago, or for how long already; goes on by itself. */
import { html, LitElement } from 'lit';
import type { TemplateResult } from 'lit';
import { formatAgo, formatDuration, formatMoment } from './time.ts';

const TICK_MS = 1000;
const shown = new Set<TimeElement>();
let ticking: number | undefined;

class TimeElement extends LitElement {
  static override properties = {
    at: {},
    since: { type: Boolean },
  };

  /** RFC 3339. */
  declare at: string;
  /** Seconds that run, instead of a moment in the past. */
  declare since: boolean;

  constructor() {
    super();
    this.at = '';
    this.since = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    shown.add(this);
    ticking ??= window.setInterval(() => {
      for (const element of shown) element.requestUpdate();
    }, TICK_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    shown.delete(this);
    if (shown.size > 0) return;
    window.clearInterval(ticking);
    ticking = undefined;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override render(): TemplateResult {
    const passed = Date.now() - Date.parse(this.at);
    const words = Number.isNaN(passed) ? this.at : this.since ? formatDuration(passed) : formatAgo(passed);
    return html`<time datetime=${this.at} title=${formatMoment(this.at)}>${words}</time>`;
  }
}

customElements.define('ambient-time', TimeElement);

export const ago = (at: string): TemplateResult => html`<ambient-time .at=${at}></ambient-time>`;
export const running = (since: string): TemplateResult =>
  html`<ambient-time .at=${since} .since=${true}></ambient-time>`;
