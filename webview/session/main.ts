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
/** What comes later than that is news. */
const RESTORE_MS = 10_000;

const root = document.createElement('div');
root.className = 'page';
document.body.append(root);

const memory = new Memory<Remembered>({ scroll: 0, closed: [], allHistory: false });
const model: PageModel = {
  log: { lines: [], state: 'waiting' },
  conversation: NO_CONVERSATION,
  draft: { ...NO_DRAFT, words: memory.value.draft ?? '' },
};
/** How far the page was scrolled when it was left, until it is as long again; undefined: the person scrolls. */
let toRestore: number | undefined = memory.value.scroll;
/** How far that has come. */
let restored = 0;

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
  if (toRestore !== undefined) requestAnimationFrame(restore);
};

/** Log, conversation and artifacts come after the session itself: until then the page is shorter than it was. */
const restore = (): void => {
  if (toRestore === undefined || model.state?.view === undefined) return;
  if (Math.abs(window.scrollY - restored) < 1 && performance.now() < RESTORE_MS) {
    window.scrollTo({ top: toRestore });
    restored = window.scrollY;
    if (restored < Math.floor(toRestore)) return;
  }
  // It is there, or somebody has scrolled, or it never will be.
  toRestore = undefined;
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
      if (toRestore === undefined || Math.abs(window.scrollY - restored) >= 1)
        memory.set({ scroll: window.scrollY });
    }, SCROLL_REST_MS);
  },
  { passive: true },
);

draw();
post('ready', {});
