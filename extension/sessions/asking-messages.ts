/** Tells the person that a session they launched from this window asks something. */
import type { Notify } from '../ide/notify.ts';
import { plain } from '../ide/plain-text.ts';
import { settings } from '../ide/settings.ts';
import type { Finished } from './launched.ts';
import { needsInput, titleOf } from './state.ts';

export function tellAsking(notify: Notify, { ref, session }: Finished): void {
  if (!settings.notifyWhenInputNeeded()) return;
  const question = plain(needsInput(session) ?? '', 200);
  notify.info(`Session “${plain(titleOf(session), 80)}” asks: ${question}`, [
    { title: 'Answer', command: 'ambient.openSession', arguments: [ref] },
  ]);
}
