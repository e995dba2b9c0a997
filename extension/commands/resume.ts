/** ambient.resume: a new session that goes on from one that has ended, told what it is to do now. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { ResumeRequest } from '../../common/api/live.ts';
import type { Session } from '../../common/api/session.ts';
import { sessions } from '../../common/kube/resource.ts';
import { plain } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { isFinished, titleOf } from '../sessions/state.ts';
import { chosenSessions } from './chosen-sessions.ts';
import type { Command, CommandContext } from './context.ts';
import { showLaunched } from './launch-work.ts';
import { noteRefusal, permitted } from './permitted.ts';

/** Fields of a framework's configuration that say what is to be done, the likeliest first. */
const TASK_FIELDS = ['prompt', 'task', 'instructions', 'command'];

/** The optional second argument is a ResumeRequest: then nothing is asked. Resolves to the new session's SessionRef. */
export const resume: Command =
  (context) =>
  async (...args): Promise<SessionRef | undefined> => {
    const chosen = await chosenSessions(context, args, {
      placeholder: 'Go on from which session?',
      nothing: 'No session has ended yet.',
      only: isFinished,
    });
    const [ref] = await permitted(context, chosen, 'resume');
    if (ref === undefined) return undefined;
    try {
      const request = givenRequest(args[1]) ?? (await askRequest(context, ref));
      if (request === undefined) return undefined;
      const [connection, { resumeSession }] = await Promise.all([
        context.clusters.connection(ref.cluster),
        import('../sessions/live.ts'),
      ]);
      const { name, uid } = await resumeSession(connection, ref, { id: randomUUID(), ...request });
      const made = { cluster: ref.cluster, namespace: ref.namespace, name, uid };
      context.launched.follow(made);
      showLaunched(context, made);
      return made;
    } catch (error) {
      noteRefusal(context, ref, error);
      context.notify.failed('resume the session', error, ref.cluster);
      return undefined;
    }
  };

function givenRequest(argument: unknown): ResumeRequest | undefined {
  if (typeof argument !== 'object' || argument === null || Array.isArray(argument)) return undefined;
  const { config, displayName } = argument as ResumeRequest;
  if (typeof config !== 'object' && typeof displayName !== 'string') return undefined;
  return {
    ...(typeof config === 'object' ? { config } : {}),
    ...(typeof displayName === 'string' ? { displayName } : {}),
  };
}

async function askRequest({ clusters }: CommandContext, ref: SessionRef): Promise<ResumeRequest | undefined> {
  const client = await clusters.client(ref.cluster);
  const session: Session = await client.get(sessions, ref);
  const { config = {} } = session.spec.framework;
  const field = TASK_FIELDS.find((name) => typeof config[name] === 'string');
  const title = `Resume “${plain(titleOf(session), 80)}”`;
  if (field === undefined) {
    const detail = 'A new session begins with what this one had and changed.';
    const answer = await vscode.window.showInformationMessage(`${title}?`, { modal: true, detail }, 'Resume');
    return answer === undefined ? undefined : {};
  }
  const before = config[field];
  const said = await vscode.window.showInputBox({
    title,
    prompt: `What is it to do now? The new session begins with what this one had and changed, and can read what was said.`,
    value: typeof before === 'string' && !before.includes('\n') ? before : '',
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === '' ? `It needs a ${field}.` : undefined),
  });
  return said === undefined ? undefined : { config: { [field]: said } };
}
