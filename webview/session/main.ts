/** The page of one session: keeps what it was told and draws it. */
import { render } from 'lit';
import type { LogLine, SessionPageRequests, SessionPageUpdates } from '../../common/api/panels.ts';
import { connect, Memory } from '../kit/messages.ts';
import { NO_CONVERSATION, updated } from './conversation-model.ts';
import { pageOf } from './page.ts';
import type { PageModel, Remembered } from './page.ts';
import { NO_DRAFT } from './talk-box.ts';
import '../kit/kit.css';
import './session.css';

// LOG_TAIL_LINES of common/api/panels.ts, whose schemas stay out of the page.
const LINES_MAX = 200;
const SCROLL_REST_MS = 150;

const root = document.createElement('div');
root.className = 'page';
document.body.append(root);

const memory = new Memory<Remembered>({ scroll: 0, closed: [], allHistory: false });
const model: PageModel = {
  log: { lines: [], state: 'waiting' },
  conversation: NO_CONVERSATION,
  draft: { ...NO_DRAFT, words: memory.value.draft ?? '' },
};
let isRestored = false;

/** What is followed while its reader is at the end. */
const FOLLOWED = ['.log', '.talk'];

const isAtEnd = (selector: string): boolean => {
  const part = root.querySelector(selector);
  return part === null || part.scrollHeight - part.scrollTop - part.clientHeight < 24;
};

const draw = (): void => {
  const toFollow = FOLLOWED.filter(isAtEnd);
  render(pageOf(model, memory.value, { post, remember, draft, say }), root);
  for (const selector of toFollow) {
    const drawn = root.querySelector(selector);
    // Long lines draw themselves a moment later.
    if (drawn !== null) queueMicrotask(() => drawn.scrollTo({ top: drawn.scrollHeight }));
  }
};

/** What comes in above does not move what is being read. */
const drawBelow = (change: () => void): void => {
  const before = root.querySelector('.talk');
  const fromEnd = before === null ? 0 : before.scrollHeight - before.scrollTop;
  change();
  draw();
  const after = root.querySelector('.talk');
  if (after !== null) queueMicrotask(() => after.scrollTo({ top: after.scrollHeight - fromEnd }));
};

const remember = (change: Partial<Remembered>): void => {
  memory.set(change);
  draw();
};

const draft = (words: string): void => {
  model.draft = { words, isSending: false };
  remember({ draft: words });
};

let sent: string | undefined;

/** The words stay in the box until they are taken. */
const say = (answer?: string): void => {
  if (model.draft.isSending) return;
  const words = answer ?? model.draft.words;
  sent = words;
  model.draft = { words: model.draft.words, isSending: true };
  draw();
  post('message', { text: words });
};

const post = connect<SessionPageRequests, SessionPageUpdates>({
  state: (state) => {
    model.state = state;
    memory.set({ ref: state.ref });
    draw();
    if (isRestored || state.view === undefined) return;
    isRestored = true;
    const top = memory.value.scroll;
    requestAnimationFrame(() => window.scrollTo({ top }));
  },
  log: ({ reset, lines, state, problem }) => {
    const kept: LogLine[] = reset ? lines : [...model.log.lines, ...lines];
    model.log = {
      lines: kept.slice(-LINES_MAX),
      state,
      ...(problem === undefined ? {} : { problem }),
    };
    draw();
  },
  said: ({ what, problem }) => {
    if (problem !== undefined) model.draft = { ...model.draft, isSending: false, problem };
    else if (what === 'message') draft(model.draft.words === sent ? '' : model.draft.words);
    draw();
  },
  conversation: (update) => {
    const isEarlier = (update.entries[0]?.index ?? Infinity) < (model.conversation.entries[0]?.index ?? 0);
    const change = (): void => {
      model.conversation = updated(model.conversation, update, !isEarlier && isAtEnd('.talk'));
    };
    if (isEarlier && !update.reset) return drawBelow(change);
    change();
    draw();
  },
});

let resting: number | undefined;
window.addEventListener(
  'scroll',
  () => {
    window.clearTimeout(resting);
    resting = window.setTimeout(() => {
      if (isRestored) memory.set({ scroll: window.scrollY });
    }, SCROLL_REST_MS);
  },
  { passive: true },
);

draw();
post('ready', {});
