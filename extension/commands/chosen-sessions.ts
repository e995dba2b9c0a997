/** Which sessions a command is about: what it was given, the rows selected with it, or what the person picks. */
import * as vscode from 'vscode';
import type { Session } from '../../common/api/session.ts';
import { isForbidden } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { someChosenContexts } from '../clusters/chosen-contexts.ts';
import { listNamespaces } from '../clusters/namespaces.ts';
import { pinnedIn } from '../clusters/pinned.ts';
import { plain } from '../ide/plain-text.ts';
import { settings } from '../ide/settings.ts';
import { isSessionRef, refOf } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { formatAge, lastMoment, STATE_WORDS, stateOf, titleOf } from '../sessions/state.ts';
import type { CommandArguments, CommandContext } from './context.ts';

export interface PickOptions {
  placeholder: string;
  /** Which to offer. */
  only?: (session: Session) => boolean;
}

/** Empty when the person chose none. */
export async function chosenSessions(
  context: CommandContext,
  args: CommandArguments,
  options: PickOptions,
): Promise<SessionRef[]> {
  const [first, selected] = args;
  if (Array.isArray(selected)) {
    const refs = (selected as unknown[]).filter(isSessionRef);
    if (refs.length > 0) return refs.map(plainRef);
  }
  if (isSessionRef(first)) return [plainRef(first)];
  const picked = await pickSession(context, options);
  return picked === undefined ? [] : [picked];
}

/** Without whatever else a tree node carries. */
const plainRef = ({ cluster, namespace, name, uid }: SessionRef): SessionRef => ({
  cluster,
  namespace,
  name,
  ...(uid === undefined ? {} : { uid }),
});

async function pickSession(
  context: CommandContext,
  { placeholder, only }: PickOptions,
): Promise<SessionRef | undefined> {
  const found = listAll(context).then((all) =>
    all
      .filter(({ session }) => only === undefined || only(session))
      .sort((a, b) => lastMoment(b.session) - lastMoment(a.session))
      .map(({ cluster, session }) => ({
        label: plain(titleOf(session)),
        description: `${session.metadata.namespace ?? ''} · ${STATE_WORDS[stateOf(session)]} · ${formatAge(Date.now() - lastMoment(session))}`,
        ref: refOf(cluster, session),
      })),
  );
  const item = await vscode.window.showQuickPick(found, {
    placeHolder: placeholder,
    matchOnDescription: true,
  });
  return item?.ref;
}

async function listAll({
  clusters,
  notify,
}: CommandContext): Promise<{ cluster: string; session: Session }[]> {
  const { contexts, pinned, emptyNamespaces } = settings.tree();
  const shown = someChosenContexts(await clusters.kubeconfig(), contexts);
  const lists = await Promise.all(
    shown.map(async ({ name: cluster, namespace: contextNamespace }) => {
      try {
        const client = await clusters.client(cluster);
        const all = await client.list(sessions).catch(async (error: unknown) => {
          if (!isForbidden(error)) throw error;
          const listing = await listNamespaces(client, {
            pinned: pinnedIn(pinned, cluster),
            contextNamespace,
            empty: emptyNamespaces,
          });
          const each = await Promise.all(
            listing.shown.map(({ name }) =>
              client.list(sessions, { namespace: name }).catch(() => ({ items: [] })),
            ),
          );
          return { items: each.flatMap(({ items }) => items) };
        });
        return all.items.map((session) => ({ cluster, session }));
      } catch (error) {
        // One cluster that is away must not hide the sessions of the others.
        notify.log(`listing sessions of ${cluster}`, error);
        if (shown.length === 1) throw error;
        return [];
      }
    }),
  );
  return lists.flat();
}
