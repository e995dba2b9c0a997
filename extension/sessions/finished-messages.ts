/** Tells the person that a session they launched from this window has ended. */
import type { Notify } from '../ide/notify.ts';
import { plain } from '../ide/plain-text.ts';
import { settings } from '../ide/settings.ts';
import { STATE_WORDS, stateOf, titleOf } from './state.ts';
import type { Finished } from './launched.ts';

export function tellFinished(notify: Notify, { ref, session }: Finished): void {
  if (!settings.notifyWhenFinished()) return;
  const state = stateOf(session);
  const reason = state === 'failed' ? `: ${plain(session.status?.message ?? '', 200)}` : '.';
  const verb = state === 'stopped' ? 'was' : 'has';
  const text = `Session “${plain(titleOf(session), 80)}” ${verb} ${STATE_WORDS[state]}${reason}`;
  const actions = [
    { title: 'Open Session', command: 'ambient.openSession', arguments: [ref] },
    { title: 'Open Log', command: 'ambient.openLog', arguments: [ref] },
  ];
  if (state === 'failed') notify.warn(text, actions);
  else notify.info(text, actions);
}
