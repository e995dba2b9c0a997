/** A decision on a session that waits for one, with a reason for those who read of it later. */
import * as vscode from 'vscode';
import { isNotFound, KubeError } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { count } from '../../common/rules/wording.ts';
import { plain } from '../ide/plain-text.ts';
import { decisionRefusal } from '../sessions/approval.ts';
import type { Decision } from '../sessions/approval.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { waitsForApproval } from '../sessions/state.ts';
import { chosenSessions } from './chosen-sessions.ts';
import type { CommandArguments, CommandContext } from './context.ts';
import { noteRefusal } from './permitted.ts';
import { sessionTitle } from './session-title.ts';

const REASON_MAX = 1024;

const VERBS: Readonly<
  Record<Decision, { title: string; placeholder: string; prompt: string; done: string }>
> = {
  approve: {
    title: 'Approve',
    placeholder: 'Approve which session?',
    prompt: 'Why? May be left empty. Enter approves.',
    done: 'approved',
  },
  reject: {
    title: 'Reject',
    placeholder: 'Reject which session?',
    prompt: 'Why? Whoever launched it reads this. Enter rejects.',
    done: 'rejected',
  },
};

/** The optional second argument `{ reason }` decides without asking. */
export async function decide(
  context: CommandContext,
  decision: Decision,
  args: CommandArguments,
): Promise<void> {
  const refs = await chosenSessions(context, args, {
    placeholder: VERBS[decision].placeholder,
    nothing: 'No session waits for approval.',
    only: waitsForApproval,
  });
  const open: SessionRef[] = [];
  for (const ref of refs) if (await mayDecide(context, ref, decision)) open.push(ref);
  if (open.length === 0) return;
  const reason = givenReason(args[1], decision) ?? (await askReason(context, open, decision));
  if (reason === undefined) return;
  await Promise.all(open.map((ref) => decideOne(context, ref, decision, reason)));
}

/** Refused before anything is typed in; whether the operator agrees shows when it is asked. */
async function mayDecide(context: CommandContext, ref: SessionRef, decision: Decision): Promise<boolean> {
  const { cluster, namespace } = ref;
  const [rbac, me, found, session] = await Promise.all([
    context.rights.refusal(cluster, namespace, decision),
    context.rights.me(cluster),
    context.policies.of(cluster, namespace).catch(() => undefined),
    context.clusters.client(cluster).then((client) => client.get(sessions, ref)),
  ]);
  if (ref.uid !== undefined && session.metadata.uid !== ref.uid) {
    context.notify.warn(`Another session of the name ${ref.name} stands in the place of the one shown.`);
    return false;
  }
  const approval = found?.known === 'policy' ? found.policy.spec.approval : undefined;
  const refusal = decisionRefusal(session, { rbac, me, approval });
  if (refusal !== undefined) context.notify.warn(refusal);
  return refusal === undefined;
}

function givenReason(given: unknown, decision: Decision): string | undefined {
  const reason: unknown = Reflect.get(Object(given) as object, 'reason');
  if (typeof reason !== 'string') return undefined;
  return decision === 'reject' && reason.trim() === '' ? undefined : reason;
}

async function askReason(
  context: CommandContext,
  refs: readonly SessionRef[],
  decision: Decision,
): Promise<string | undefined> {
  const [only] = refs;
  const what =
    refs.length === 1 && only !== undefined
      ? `“${plain(await sessionTitle(context, only), 80)}”`
      : count(refs.length, 'session');
  const { title, prompt } = VERBS[decision];
  return await vscode.window.showInputBox({
    title: `${title} ${what}`,
    prompt,
    ignoreFocusOut: true,
    validateInput: (text) => {
      if (text.length > REASON_MAX) return `At most ${REASON_MAX} characters; this has ${text.length}.`;
      return decision === 'reject' && text.trim() === '' ? 'Give a reason.' : undefined;
    },
  });
}

async function decideOne(
  context: CommandContext,
  ref: SessionRef,
  decision: Decision,
  reason: string,
): Promise<void> {
  const { title, done } = VERBS[decision];
  try {
    const [connection, live] = await Promise.all([
      context.clusters.connection(ref.cluster),
      import('../sessions/live.ts'),
    ]);
    await live.decideOn(connection, ref, decision, reason.trim());
    context.notify.log(`${done} ${ref.namespace}/${ref.name}`);
  } catch (error) {
    noteRefusal(context, ref, error);
    if (isNotFound(error) && error instanceof KubeError && error.kubeStatus?.details?.name === ref.name)
      context.notify.info('The session has been deleted.');
    else context.notify.failed(`${title.toLowerCase()} the session`, error, ref.cluster);
  }
}
