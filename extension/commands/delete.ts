/** ambient.delete: removes sessions with their logs and artifacts, after asking the person. */
import * as vscode from 'vscode';
import type { Session } from '../../common/api/session.ts';
import { count } from '../../common/rules/wording.ts';
import { isNotFound } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { plain } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { isFinished, titleOf } from '../sessions/state.ts';
import { chosenSessions } from './chosen-sessions.ts';
import type { Command, CommandContext } from './context.ts';
import { noteRefusal, permitted } from './permitted.ts';

const DELETE = 'Delete';

/** The optional second argument `{ confirm: false }` deletes without asking. */
export const deleteSession: Command =
  (context) =>
  async (...args) => {
    const chosen = await chosenSessions(context, args, {
      placeholder: 'Delete which session?',
      nothing: 'There is no session yet.',
    });
    const refs = await permitted(context, chosen, 'delete');
    if (refs.length === 0) return;
    const found = await Promise.all(refs.map((ref) => current(context, ref)));
    const asks = Reflect.get(Object(args[1]), 'confirm') !== false;
    if (asks && !(await isConfirmed(refs, found))) return;
    await Promise.all(refs.map((ref) => deleteOne(context, ref)));
  };

/** As it is now; undefined when that cannot be found out, which deleting will say. */
async function current({ clusters }: CommandContext, ref: SessionRef): Promise<Session | undefined> {
  try {
    return await (await clusters.client(ref.cluster)).get(sessions, ref);
  } catch {
    return undefined;
  }
}

async function isConfirmed(
  refs: readonly SessionRef[],
  found: readonly (Session | undefined)[],
): Promise<boolean> {
  const [only] = found;
  const what =
    refs.length === 1
      ? `session “${plain(only === undefined ? (refs[0]?.name ?? '') : titleOf(only), 80)}”`
      : count(refs.length, 'session');
  const running = found.filter((session) => session !== undefined && !isFinished(session)).length;
  const stopped =
    running === 0
      ? ''
      : refs.length === 1
        ? 'It has not ended and will be stopped at once. '
        : `${running} of them ${running === 1 ? 'has' : 'have'} not ended and will be stopped at once. `;
  const answer = await vscode.window.showWarningMessage(
    `Delete ${what}?`,
    { modal: true, detail: `${stopped}Log and artifacts are deleted too. This cannot be undone.` },
    DELETE,
  );
  return answer === DELETE;
}

async function deleteOne(context: CommandContext, ref: SessionRef): Promise<void> {
  try {
    const client = await context.clusters.client(ref.cluster);
    // Never a later session of the same name.
    const preconditions = ref.uid === undefined ? {} : { preconditions: { uid: ref.uid } };
    await client.delete(sessions, ref, { propagationPolicy: 'Background', ...preconditions });
    context.notify.log(`deleted ${ref.namespace}/${ref.name}`);
  } catch (error) {
    noteRefusal(context, ref, error);
    if (isNotFound(error)) context.notify.info('The session has already been deleted.');
    else context.notify.failed('delete the session', error, ref.cluster);
  }
}
