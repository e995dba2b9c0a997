/** The page of one session: keeps what it was told and draws it. */
import { render } from 'lit';
import type { LogLine, SessionPageRequests, SessionPageUpdates } from '../../common/api/panels.ts';
import { connect, Memory } from '../kit/messages.ts';
import { pageOf } from './page.ts';
import type { PageModel, Remembered } from './page.ts';
import '../kit/kit.css';
import './session.css';

// LOG_TAIL_LINES of common/api/panels.ts, whose schemas stay out of the page.
const LINES_MAX = 200;
const SCROLL_REST_MS = 150;

const root = document.createElement('div');
root.className = 'page';
document.body.append(root);

const memory = new Memory<Remembered>({ scroll: 0, closed: [], allHistory: false });
const model: PageModel = { log: { lines: [], state: 'waiting' } };
let isRestored = false;

const draw = (): void => {
  const log = root.querySelector('.log');
  const atEnd = log === null || log.scrollHeight - log.scrollTop - log.clientHeight < 24;
  render(pageOf(model, memory.value, { post, remember }), root);
  const drawn = root.querySelector('.log');
  // Long lines draw themselves a moment later.
  if (atEnd && drawn !== null) queueMicrotask(() => drawn.scrollTo({ top: drawn.scrollHeight }));
};

const remember = (change: Partial<Remembered>): void => {
  memory.set(change);
  draw();
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
