/** The page that shows a picture: fitted or zoomed, on a checkerboard, by mouse and keyboard. */
import { css, html, LitElement, nothing } from 'lit';
import type { PropertyValues, TemplateResult } from 'lit';
import type { PicturePageRequest, PicturePageUpdate } from '../../common/api/picture-page.ts';

declare function acquireVsCodeApi(): { postMessage(message: PicturePageRequest): void };

const vscode = acquireVsCodeApi();
const ZOOM_STEP = 1.25;
const ZOOM_MIN = 0.1;
const ZOOM_MAX = 32;

class PicturePage extends LitElement {
  static override properties = {
    picture: { state: true },
    problem: { state: true },
    zoom: { state: true },
    size: { state: true },
  };

  static override styles = css`
    :host {
      display: flex;
      flex-direction: column;
      height: 100vh;
      color: var(--vscode-foreground);
      background: var(--vscode-editor-background);
      font: var(--vscode-font-size) var(--vscode-font-family);
    }
    .bar {
      display: flex;
      flex-wrap: wrap;
      align-items: center;
      gap: 4px;
      padding: 4px 12px;
      border-bottom: 1px solid var(--vscode-panel-border, var(--vscode-contrastBorder, transparent));
    }
    .about {
      margin-inline-start: auto;
      color: var(--vscode-descriptionForeground);
      font-variant-numeric: tabular-nums;
    }
    button {
      min-width: 26px;
      padding: 3px 8px;
      border: 1px solid var(--vscode-button-border, var(--vscode-contrastBorder, transparent));
      border-radius: 2px;
      color: var(--vscode-button-secondaryForeground);
      background: var(--vscode-button-secondaryBackground);
      font: inherit;
      cursor: pointer;
    }
    button:hover:not(:disabled) {
      background: var(--vscode-button-secondaryHoverBackground);
    }
    button:disabled {
      opacity: 0.5;
      cursor: default;
    }
    button:focus-visible,
    .stage:focus-visible {
      outline: 1px solid var(--vscode-focusBorder);
      outline-offset: 1px;
    }
    .stage:focus-visible {
      outline-offset: -1px;
    }
    .stage {
      flex: 1;
      min-height: 0;
      overflow: auto;
      display: grid;
      padding: 16px;
    }
    figure {
      margin: auto;
      line-height: 0;
      background: repeating-conic-gradient(rgb(128 128 128 / 30%) 0 25%, rgb(255 255 255 / 85%) 0 50%) 0 0 /
        16px 16px;
    }
    .fitted figure {
      max-width: 100%;
      max-height: 100%;
      min-width: 0;
      min-height: 0;
      display: grid;
    }
    .fitted img {
      max-width: 100%;
      max-height: calc(100vh - 90px);
      min-width: min(100%, 64px);
    }
    .hidden {
      visibility: hidden;
    }
    .unseen {
      position: absolute;
      width: 1px;
      height: 1px;
      margin: 0;
      overflow: hidden;
      clip-path: inset(50%);
      white-space: nowrap;
    }
    .note {
      margin: auto;
      max-width: 60ch;
      text-align: center;
    }
  `;

  declare picture: { name: string; address: string } | undefined;
  declare problem: string | undefined;
  /** Undefined: as large as fits. */
  declare zoom: number | undefined;
  declare size: { width: number; height: number } | undefined;

  constructor() {
    super();
    this.picture = undefined;
    this.problem = undefined;
    this.zoom = undefined;
    this.size = undefined;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener('message', this.#onMessage);
    window.addEventListener('keydown', this.#onKey);
    vscode.postMessage('ready');
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener('message', this.#onMessage);
    window.removeEventListener('keydown', this.#onKey);
  }

  override render(): TemplateResult {
    const { picture, problem, zoom, size } = this;
    const isShown = size !== undefined;
    const percent = Math.round((zoom ?? this.#fittedZoom()) * 100);
    return html`
      <h1 class="unseen">${picture?.name ?? 'Picture'}</h1>
      <div class="bar" role="toolbar" aria-label="Picture">
        <button
          ?disabled=${!isShown}
          @click=${() => this.#scale(1 / ZOOM_STEP)}
          aria-label="Zoom out"
          title="Zoom out (-)"
        >
          −
        </button>
        <button
          ?disabled=${!isShown}
          @click=${() => this.#scale(ZOOM_STEP)}
          aria-label="Zoom in"
          title="Zoom in (+)"
        >
          +
        </button>
        <button ?disabled=${!isShown} @click=${() => (this.zoom = 1)} title="Original size (1)">
          Original Size
        </button>
        <button
          ?disabled=${!isShown}
          aria-pressed=${zoom === undefined}
          @click=${() => (this.zoom = undefined)}
          title="Fit the window (0)"
        >
          Fit
        </button>
        <button @click=${() => vscode.postMessage('openAsText')}>Open as Text</button>
        <button @click=${() => vscode.postMessage('save')}>Save As…</button>
        <span class="about" role="status"
          >${isShown ? `${size.width} × ${size.height} · ${percent} %` : nothing}</span
        >
      </div>
      <div
        class="stage ${zoom === undefined ? 'fitted' : ''}"
        tabindex="0"
        role="group"
        aria-label="Picture, scrollable"
        @wheel=${this.#onWheel}
      >
        ${problem === undefined ? nothing : html`<p class="note" role="alert">${problem}</p>`}
        ${
          picture === undefined || problem !== undefined
            ? nothing
            : html`<figure class=${isShown ? '' : 'hidden'}>
                <img
                  role="img"
                  alt="Picture ${picture.name}"
                  src=${picture.address}
                  @load=${this.#onLoad}
                  @error=${() => (this.problem = `${picture.name} cannot be shown as a picture. Open it as text to see what it holds.`)}
                />
              </figure>`
        }
        ${picture === undefined && problem === undefined ? html`<p class="note" role="status">Loading…</p>` : nothing}
      </div>
    `;
  }

  /** Sizes are set by hand: the page's policy allows no style attributes. */
  protected override updated(changed: PropertyValues): void {
    const image = this.renderRoot.querySelector('img');
    if (image === null || this.size === undefined) return;
    image.style.width = this.zoom === undefined ? '' : `${this.size.width * this.zoom}px`;
    image.style.height = this.zoom === undefined ? '' : `${this.size.height * this.zoom}px`;
    // The share of a fitted picture is known only now.
    if (changed.has('size') && this.zoom === undefined) this.requestUpdate();
  }

  #fittedZoom(): number {
    const image = this.renderRoot.querySelector('img');
    return image === null || this.size === undefined || image.clientWidth === 0
      ? 1
      : image.clientWidth / this.size.width;
  }

  #scale(factor: number): void {
    if (this.size === undefined) return;
    const zoom = (this.zoom ?? this.#fittedZoom()) * factor;
    this.zoom = Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, zoom));
  }

  #onLoad = (event: Event): void => {
    const image = event.target as HTMLImageElement;
    // A picture that says nothing of its size is as large as the browser makes it.
    this.size = {
      width: image.naturalWidth || image.clientWidth || 300,
      height: image.naturalHeight || image.clientHeight || 150,
    };
  };

  #onMessage = ({ data }: MessageEvent<PicturePageUpdate>): void => {
    if (this.picture !== undefined) URL.revokeObjectURL(this.picture.address);
    if (data.type === 'problem') {
      this.problem = data.payload.message;
      this.picture = undefined;
      this.size = undefined;
      return;
    }
    const { name, contentType, bytes } = data.payload;
    // The bytes come with a buffer of their own.
    const blob = new Blob([bytes as Uint8Array<ArrayBuffer>], { type: contentType });
    this.problem = undefined;
    this.picture = { name, address: URL.createObjectURL(blob) };
  };

  #onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '+' || event.key === '=') this.#scale(ZOOM_STEP);
    else if (event.key === '-') this.#scale(1 / ZOOM_STEP);
    else if (event.key === '0') this.zoom = undefined;
    else if (event.key === '1') this.zoom = 1;
    else return;
    event.preventDefault();
  };

  #onWheel = (event: WheelEvent): void => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#scale(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP);
  };
}

customElements.define('picture-page', PicturePage);
