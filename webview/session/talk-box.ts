/** Where a person talks to the agent: Enter sends, Shift+Enter begins a line; why it cannot be used, where it cannot. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { live } from 'lit/directives/live.js';
import type { SessionRefusals, TalkView } from '../../common/api/panels.ts';
import { button } from '../kit/elements.ts';
import { text } from '../kit/text-element.ts';

/** What the page remembers of a message before it is taken. */
export interface TalkDraft {
  words: string;
  isSending: boolean;
  problem?: string;
}

export const NO_DRAFT: TalkDraft = { words: '', isSending: false };

// MESSAGE_BYTES_MAX of common/api/session.ts, whose schemas stay out of the page.
const BYTES_MAX = 16 * 1024;
const encoder = new TextEncoder();

export interface TalkBoxOptions {
  talk: TalkView;
  refusals: SessionRefusals;
  draft: TalkDraft;
  /** Number of the last thing said that the agent has. */
  heard: number;
  onInput: (words: string) => void;
  onSend: () => void;
}

/** Why nothing can be said now. */
export const refusalToTalk = (talk: TalkView, refusals: SessionRefusals): string | undefined =>
  talk.closed ?? refusals.message;

export function talkBox({ talk, refusals, draft, heard, onInput, onSend }: TalkBoxOptions): TemplateResult {
  const refusal = refusalToTalk(talk, refusals);
  const isTooLong = encoder.encode(draft.words).length > BYTES_MAX;
  const isReady = refusal === undefined && !draft.isSending && !isTooLong && draft.words.trim() !== '';
  const onKeyDown = (event: KeyboardEvent): void => {
    // While a word is composed, Enter ends the word.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (isReady) onSend();
  };
  const unheard = talk.said - heard;
  return html`
    <div class="talk-box">
      <textarea
        rows="2"
        aria-label="Message to the agent"
        aria-describedby="talk-note"
        placeholder=${talk.question === undefined ? 'Say something to the agent' : 'Answer the agent'}
        ?disabled=${refusal !== undefined}
        ?readonly=${draft.isSending}
        .value=${live(draft.words)}
        @input=${(event: InputEvent) => onInput((event.target as HTMLTextAreaElement).value)}
        @keydown=${onKeyDown}
      ></textarea>
      <div class="actions">
        ${button({
          label: draft.isSending ? 'Sending…' : talk.question === undefined ? 'Send' : 'Answer',
          look: 'primary',
          disabled: !isReady,
          ...(refusal === undefined ? {} : { why: refusal }),
          onClick: onSend,
        })}
      </div>
      <p class="quiet" id="talk-note" role="status">
        ${
          refusal !== undefined
            ? text(refusal)
            : isTooLong
              ? 'A message has at most 16 KiB.'
              : unheard > 0
                ? `${unheard === 1 ? 'One message is' : `${unheard} messages are`} on the way to the agent.`
                : 'Enter sends, Shift+Enter begins a new line.'
        }
      </p>
      ${draft.problem === undefined ? nothing : html`<p class="note" role="alert">${text(draft.problem)}</p>`}
    </div>
  `;
}
