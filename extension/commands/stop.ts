/** ambient.stop: asks sessions to end, after asking the person. */
import * as vscode from 'vscode';
import type { StopRequest } from '../../common/api/live.ts';
import { count } from '../../common/rules/wording.ts';
import { KubeError } from '../../common/kube/errors.ts';
import { plain } from '../ide/plain-text.ts';
import { settings } from '../ide/settings.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { isFinished } from '../sessions/state.ts';
import { chosenSessions } from './chosen-sessions.ts';
import type { Command, CommandContext } from './context.ts';
import { noteRefusal, permitted } from './permitted.ts';
import { sessionTitle } from './session-title.ts';

const STOP = 'Stop';
const WITH_REASON = 'Stop with Reason…';
const KILL = 'Kill Now';

/** The optional second argument `{ reason, gracePeriodSeconds }` stops without asking. */
export const stop: Command =
  (context) =>
  async (...args) => {
    const chosen = await chosenSessions(context, args, {
      placeholder: 'Stop which session?',
      nothing: 'No session is going on.',
      only: (session) => !isFinished(session),
    });
    const refs = await permitted(context, chosen, 'stop');
    if (refs.length === 0) return;
    const request = givenRequest(args[1]) ?? (await askRequest(context, refs));
    if (request === undefined) return;
    await Promise.all(refs.map((ref) => stopOne(context, ref, request)));
  };

async function stopOne(context: CommandContext, ref: SessionRef, request: StopRequest): Promise<void> {
  try {
    const [connection, { stopSession }] = await Promise.all([
      context.clusters.connection(ref.cluster),
      import('../sessions/live.ts'),
    ]);
    await stopSession(connection, ref, request);
    context.notify.log(`asked ${ref.namespace}/${ref.name} to stop`);
  } catch (error) {
    noteRefusal(context, ref, error);
    if (error instanceof KubeError && error.causeCode === 'already_finished')
      context.notify.info(`The session has already ended.`);
    else context.notify.failed('stop the session', error, ref.cluster);
  }
}

function givenRequest(argument: unknown): StopRequest | undefined {
  if (typeof argument !== 'object' || argument === null || Array.isArray(argument)) return undefined;
  const { reason, gracePeriodSeconds } = argument as StopRequest;
  if (reason === undefined && gracePeriodSeconds === undefined) return undefined;
  return {
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(typeof gracePeriodSeconds === 'number' ? { gracePeriodSeconds } : {}),
  };
}

async function askRequest(
  context: CommandContext,
  refs: readonly SessionRef[],
): Promise<StopRequest | undefined> {
  if (!settings.confirmStop()) return {};
  const [first] = refs;
  const what =
    refs.length === 1 && first !== undefined
      ? `session “${plain(await sessionTitle(context, first), 80)}”`
      : count(refs.length, 'session');
  const answer = await vscode.window.showWarningMessage(
    `Stop ${what}?`,
    {
      modal: true,
      detail:
        'The agent is asked to end, and killed when it has not after the grace period. Its log, and what it has made until then, are kept.',
    },
    STOP,
    WITH_REASON,
    KILL,
  );
  switch (answer) {
    case STOP:
      return {};
    case KILL:
      return { gracePeriodSeconds: 0 };
    case WITH_REASON: {
      const reason = await vscode.window.showInputBox({
        title: `Stop ${what}`,
        prompt: 'Why? Everyone who may see the session can read it.',
        validateInput: (text) => (text.length > 1024 ? 'At most 1024 characters.' : undefined),
      });
      return reason === undefined ? undefined : reason.trim() === '' ? {} : { reason: reason.trim() };
    }
    default:
      return undefined;
  }
}
