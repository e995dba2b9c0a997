/** `<ambient-text>`: text from outside, only ever as text; what is invisible is marked, what is huge is shown on demand. */
import { html, LitElement, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { cut, piecesOf } from './visible-text.ts';

/** UTF-16 units shown at first. */
const SHORT = 2000;
/** One line of more than this takes the browser too long to lay out; the whole log opens in an editor. */
const LONG = 500_000;

class TextElement extends LitElement {
  static override properties = {
    text: { attribute: false },
    whole: { state: true },
  };

  declare text: string;
  declare whole: boolean;

  constructor() {
    super();
    this.text = '';
    this.whole = false;
  }

  /** In the page itself, so that one style sheet and the find widget reach it. */
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override render(): TemplateResult {
    const { text, whole } = this;
    const shown = cut(text, whole ? LONG : SHORT);
    const left = text.length - shown.length;
    return html`${piecesOf(shown).map((piece) =>
      'text' in piece
        ? piece.text
        : html`<span class="mark" title="invisible: ${piece.mark}">${piece.mark}</span>`,
    )}${
      left === 0
        ? nothing
        : html`<span class="more"
            >…
            ${
              whole
                ? `${left.toLocaleString('en')} more characters are not shown`
                : html`<button type="button" class="link" @click=${this.#showWhole}>
                    Show all (${text.length.toLocaleString('en')} characters)
                  </button>`
            }</span
          >`
    }`;
  }

  readonly #showWhole = (): void => {
    this.whole = true;
  };
}

customElements.define('ambient-text', TextElement);

/** Isolated, so that right-to-left text stays in its place. */
export const text = (value: string): TemplateResult =>
  html`<bdi><ambient-text .text=${value}></ambient-text></bdi>`;
