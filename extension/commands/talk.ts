/** ambient.message and ambient.interrupt: says something to running sessions, or has them leave off what they do. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { Session } from '../../common/api/session.ts';
import { plain } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { isFinished } from '../sessions/state.ts';
import { chosenSessions } from './chosen-sessions.ts';
import { textField } from './context.ts';
import type { Command, CommandContext } from './context.ts';
import { noteRefusal, permitted } from './permitted.ts';
import { sessionTitle } from './session-title.ts';

const listens = (session: Session): boolean => session.status?.input?.open === true && !isFinished(session);

/** The optional second argument `{ text }` says it without asking for it. */
export const message: Command =
  (context) =>
  async (...args) => {
    const chosen = await chosenSessions(context, args, {
      placeholder: 'Talk to which session?',
      nothing: 'No session takes messages now.',
      only: listens,
    });
    const [ref] = await permitted(context, chosen, 'message');
    if (ref === undefined) return;
    const text = textField(args[1], 'text') ?? (await askText(context, ref));
    if (text === undefined || text.trim() === '') return;
    const id = randomUUID();
    await say(context, ref, 'send the message', async () => {
      const { sendMessage } = await import('../sessions/live.ts');
      await sendMessage(await context.clusters.connection(ref.cluster), ref, { id, text });
    });
  };

export const interrupt: Command =
  (context) =>
  async (...args) => {
    const chosen = await chosenSessions(context, args, {
      placeholder: 'Interrupt which session?',
      nothing: 'No session takes messages now.',
      only: listens,
    });
    for (const ref of await permitted(context, chosen, 'interrupt'))
      await say(context, ref, 'interrupt the session', async () => {
        const { interruptSession } = await import('../sessions/live.ts');
        await interruptSession(await context.clusters.connection(ref.cluster), ref, randomUUID());
      });
  };

async function askText(context: CommandContext, ref: SessionRef): Promise<string | undefined> {
  return await vscode.window.showInputBox({
    title: `Message to “${plain(await sessionTitle(context, ref), 80)}”`,
    prompt: 'The agent reads it as it goes on. Everyone who may see the session can read it.',
    ignoreFocusOut: true,
  });
}

async function say(
  context: CommandContext,
  ref: SessionRef,
  doing: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
    context.notify.log(`${doing}: ${ref.namespace}/${ref.name}`);
  } catch (error) {
    noteRefusal(context, ref, error);
    context.notify.failed(doing, error, ref.cluster);
  }
}
