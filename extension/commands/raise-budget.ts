/** ambient.raiseBudget: lets a running session spend more, after asking how much. */
import * as vscode from 'vscode';
import { sessions } from '../../common/kube/resource.ts';
import { parseMoney, ZERO } from '../../common/rules/money.ts';
import { plain } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { isFinished, pausedFor, titleOf } from '../sessions/state.ts';
import { chosenSessions } from './chosen-sessions.ts';
import { textField } from './context.ts';
import type { Command, CommandContext } from './context.ts';
import { noteRefusal, permitted } from './permitted.ts';

/** The optional second argument `{ limit }` raises it without asking. */
export const raiseBudget: Command =
  (context) =>
  async (...args) => {
    const chosen = await chosenSessions(context, args, {
      placeholder: 'Raise the budget of which session?',
      nothing: 'No session is going on.',
      only: (session) => !isFinished(session),
    });
    const [ref] = await permitted(context, chosen, 'budget');
    if (ref === undefined) return;
    try {
      const limit = textField(args[1], 'limit') ?? (await askLimit(context, ref));
      if (limit === undefined) return;
      const [connection, live] = await Promise.all([
        context.clusters.connection(ref.cluster),
        import('../sessions/live.ts'),
      ]);
      const raised = await live.raiseBudget(connection, ref, limit);
      context.notify.info(`The session may spend $${plain(raised.limit, 20)} in all.`);
    } catch (error) {
      noteRefusal(context, ref, error);
      context.notify.failed('raise the budget', error, ref.cluster);
    }
  };

async function askLimit({ clusters }: CommandContext, ref: SessionRef): Promise<string | undefined> {
  const client = await clusters.client(ref.cluster);
  const session = await client.get(sessions, ref);
  const { cost, budget } = session.status ?? {};
  const now = budget?.limit ?? session.spec.policy?.modelConstraints?.budget;
  const spent = cost === undefined ? 'nothing yet' : `$${cost.total}`;
  const said = await vscode.window.showInputBox({
    title: `Budget of “${plain(titleOf(session), 80)}”`,
    prompt:
      `${plain(pausedFor(session) ?? '', 300)} It has spent ${spent}${now === undefined ? '' : ` of $${now}`}. How many dollars may it spend in all?`.trim(),
    placeHolder: '10.00',
    ignoreFocusOut: true,
    validateInput: (text) => {
      const asked = moneyOf(text);
      if (asked === undefined) return 'An amount in dollars, as 10 or 10.50.';
      const least = [parseMoney(now ?? '') ?? ZERO, parseMoney(cost?.total ?? '') ?? ZERO];
      const limit = parseMoney(asked) ?? ZERO;
      return least.some((each) => limit <= each) ? 'More than before, and than what is spent.' : undefined;
    },
  });
  return said === undefined ? undefined : moneyOf(said);
}

/** With the cents that the API wants. */
function moneyOf(text: string): string | undefined {
  const [, dollars, cents = ''] = /^\$?\s*([0-9]{1,9})(?:\.([0-9]{1,2}))?$/.exec(text.trim()) ?? [];
  return dollars === undefined ? undefined : `${dollars}.${cents.padEnd(2, '0')}`;
}
