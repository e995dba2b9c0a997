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
  /** Said where there is none to offer. */
  nothing: string;
  /** Which to offer. */
  only?: (session: Session) => boolean;
}

/** Empty when the person chose none, or there is none, which was said. */
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
  { placeholder, nothing, only }: PickOptions,
): Promise<SessionRef | undefined> {
  const box = vscode.window.createQuickPick<SessionItem>();
  try {
    box.placeholder = placeholder;
    box.matchOnDescription = true;
    box.busy = true;
    const chosen = new Promise<SessionRef | undefined>((resolve) => {
      box.onDidAccept(() => {
        const [item] = box.selectedItems;
        if (item !== undefined) resolve(item.ref);
      });
      box.onDidHide(() => resolve(undefined));
    });
    box.show();
    const found = listAll(context).then((all) =>
      all
        .filter(({ session }) => only === undefined || only(session))
        .sort((a, b) => lastMoment(b.session) - lastMoment(a.session))
        .map(({ cluster, session }) => itemOf(cluster, session)),
    );
    // Whoever closes the box waits for nothing.
    const items = await Promise.race([found, chosen]);
    if (!Array.isArray(items)) return undefined;
    if (items.length === 0) {
      box.hide();
      void vscode.window.showInformationMessage(nothing);
      return undefined;
    }
    box.items = items;
    box.busy = false;
    return await chosen;
  } finally {
    box.dispose();
  }
}

interface SessionItem extends vscode.QuickPickItem {
  ref: SessionRef;
}

function itemOf(cluster: string, session: Session): SessionItem {
  const age = formatAge(Date.now() - lastMoment(session));
  return {
    label: plain(titleOf(session)),
    description: `${session.metadata.namespace ?? ''} · ${STATE_WORDS[stateOf(session)]} · ${age}`,
    ref: refOf(cluster, session),
  };
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
