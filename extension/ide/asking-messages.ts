/** Tells the person that a session they launched from this window asks something. */
import type { Finished } from '../sessions/launched.ts';
import { needsInput, titleOf } from '../sessions/state.ts';
import type { Notify } from './notify.ts';
import { plain } from './plain-text.ts';
import { settings } from './settings.ts';

export function tellAsking(notify: Notify, { ref, session }: Finished): void {
  if (!settings.notifyWhenInputNeeded()) return;
  const question = plain(needsInput(session) ?? '', 200);
  notify.info(`Session “${plain(titleOf(session), 80)}” asks: ${question}`, [
    { title: 'Answer', command: 'ambient.openSession', arguments: [ref] },
  ]);
}
