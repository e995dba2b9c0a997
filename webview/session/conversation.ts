/** What agent and people said and did. All of it is text from outside: text and nothing else. */
import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type {
  ConversationEntry,
  Post,
  SaidEntry,
  SessionPageRequests,
  SessionView,
  ToolEntry,
} from '../../common/api/panels.ts';
import { button } from '../kit/elements.ts';
import type { Content } from '../kit/elements.ts';
import { text } from '../kit/text-element.ts';
import { formatClock, formatDuration, formatMoment } from '../kit/time.ts';
import { cut, visible } from '../kit/visible-text.ts';
import { earlierThan } from './conversation-model.ts';
import type { ConversationModel } from './conversation-model.ts';

const SPOKEN_MAX = 300;
const GIST_MAX = 120;
/** A status that is longer is folded: commands can be whole programs. */
const STATUS_MAX = 200;

/** `answer`: what is done with one of the answers that a question offers; undefined where nothing can be said. */
export function conversation(
  model: ConversationModel,
  { endedAt }: SessionView,
  post: Post<SessionPageRequests>,
  answer?: (words: string) => void,
): TemplateResult {
  const { entries } = model;
  const earlier = earlierThan(model);
  const [first] = entries;
  return html`
    <div class="unseen" role="status" aria-live="polite">${endedAt === undefined ? latest(entries) : ''}</div>
    <div class="talk" role="log" aria-live="off" aria-label="Conversation" tabindex="0">
      ${
        earlier > 0 && first !== undefined
          ? button({
              label: `Show ${earlier === 1 ? 'the earlier entry' : `earlier entries (${earlier.toLocaleString('en')})`}`,
              onClick: () => post('earlier', { before: first.index }),
            })
          : nothing
      }
      ${
        earlier === 0 && model.first > 0
          ? html`<p class="quiet">
              ${model.first.toLocaleString('en')} older entries stand only in the log.
              <button type="button" class="link" @click=${() => post('openLog', {})}>
                Open the whole log
              </button>
            </p>`
          : nothing
      }
      ${repeat(
        entries,
        ({ index }) => index,
        (entry) => turn(entry, answer),
      )}
    </div>
  `;
}

/** What is read out: what the agent says to the person, not every step of its work. */
function latest(entries: readonly ConversationEntry[]): string {
  const said = entries.findLast(({ kind }) => kind === 'assistant' || kind === 'question');
  if (said === undefined || (said.kind !== 'assistant' && said.kind !== 'question')) return '';
  return `${said.kind === 'question' ? 'The agent asks' : 'Agent'}: ${visible(cut(said.text, SPOKEN_MAX))}`;
}

const WHO: Readonly<Partial<Record<ConversationEntry['kind'], string>>> = {
  assistant: 'Agent',
  thinking: 'Thinking',
  question: 'Question',
  error: 'Error',
};

type Answer = ((words: string) => void) | undefined;

const turn = (entry: ConversationEntry, answer: Answer): TemplateResult => html`
  <article class="turn turn-${entry.kind}">
    <time class="turn-time" datetime=${entry.time} title=${formatMoment(entry.time)}
      >${formatClock(entry.time)}</time
    >
    <div class="turn-body">${bodyOf(entry, answer)}</div>
  </article>
`;

function bodyOf(entry: ConversationEntry, answer: Answer): Content {
  switch (entry.kind) {
    case 'thinking':
      return folded(html`Thinking <span class="quiet gist">${gist(entry.text)}</span>`, said(entry));
    case 'status':
      if (entry.text.length > STATUS_MAX)
        return folded(
          html`<span class="quiet"
              >${entry.name === undefined ? nothing : html`<strong>${text(entry.name)}</strong> `}</span
            ><span class="quiet gist">${gist(entry.text)}</span>`,
          said(entry),
        );
      return html`<span class="quiet"
        >${entry.name === undefined ? nothing : html`<strong>${text(entry.name)}</strong> `}${text(entry.text)}</span
      >`;
    case 'user':
      return html`<p class="turn-who">${text(entry.name ?? 'Somebody')}</p>
        ${said(entry)}`;
    case 'question':
      return question(entry, answer);
    case 'assistant':
    case 'error':
      return html`<p class="turn-who">${WHO[entry.kind]}</p>
        ${said(entry)}`;
    case 'change':
      return html`<span class="turn-who">File</span> <code>${text(entry.path)}</code>
        <span class="quiet">${text(entry.how)}</span>`;
    case 'output':
      return folded(
        html`Output
          <span class="quiet"
            >${entry.lines === 1 ? '1 line' : `${entry.lines.toLocaleString('en')} lines`}${
              entry.hasErrors === true ? ', with errors' : ''
            }</span
          >
          <span class="quiet gist">${gist(entry.text.slice(entry.text.lastIndexOf('\n') + 1))}</span>`,
        code(text(entry.text)),
      );
    case 'tool':
      return tool(entry);
  }
}

function question(entry: SaidEntry, answer: Answer): TemplateResult {
  const { isAnswered = false, isWithdrawn = false, options = [] } = entry;
  return html`
    <p class="turn-who">
      ${isWithdrawn ? 'Question, taken back' : isAnswered ? 'Question, answered' : 'Question'}
    </p>
    ${said(entry)}
    ${
      isAnswered || isWithdrawn || answer === undefined || options.length === 0
        ? nothing
        : html`<div class="actions" role="group" aria-label="Answers">
            ${options.map((option) => button({ label: visible(option), onClick: () => answer(option) }))}
          </div>`
    }
  `;
}

function tool({
  name,
  text: call,
  isCut,
  result,
  isResultCut,
  hasFailed,
  tookMs,
}: ToolEntry): TemplateResult {
  const how = result === undefined ? 'no result yet' : hasFailed === true ? 'failed' : 'done';
  return folded(
    html`<strong>${text(name)}</strong>
      <span class="quiet ${hasFailed === true ? 'failed' : ''}"
        >${how}${tookMs === undefined || tookMs < 1000 ? nothing : ` after ${formatDuration(tookMs)}`}</span
      >
      <span class="quiet gist">${gist(call)}</span>`,
    html`
      ${
        call === ''
          ? nothing
          : html`<p class="quiet">Call</p>
              ${code(text(call))}`
      }
      ${isCut === true ? CUT : nothing}
      ${
        result === undefined
          ? nothing
          : html`<p class="quiet">Result</p>
              ${code(result === '' ? 'empty' : text(result))}`
      }
      ${isResultCut === true ? CUT : nothing}
    `,
  );
}

/** Closed at first; how the person leaves it is kept by the element itself. */
const folded = (summary: Content, content: Content): TemplateResult => html`
  <details class="fold">
    <summary>${summary}</summary>
    <div class="fold-content">${content}</div>
  </details>
`;

/** Can be reached by keyboard, to scroll it. */
const code = (content: Content): TemplateResult =>
  html`<div class="said said-code" tabindex="0">${content}</div>`;

const CUT = html`<p class="quiet">… cut here; the log has all of it.</p>`;

const said = ({ text: words, isCut }: { text: string; isCut?: true }): TemplateResult => html`
  <div class="said">${text(words)}</div>
  ${isCut === true ? CUT : nothing}
`;

/** Its first line, to tell one from the other while it is folded. */
function gist(words: string): Content {
  const line = words.trimStart().split('\n', 1)[0] ?? '';
  return line === '' ? nothing : text(line.length > GIST_MAX ? `${cut(line, GIST_MAX)}…` : line);
}
