/** ambient.openResult: the branch that a session's changes were pushed to: checked out, cloned, or in the browser. */
import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { Session } from '../../common/api/session.ts';
import { sessions } from '../../common/kube/resource.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { branchMistake } from '../../common/rules/results.ts';
import { openRepositories } from '../ide/git-extension.ts';
import type { GitRepository } from '../ide/git-extension.ts';
import { plain } from '../ide/plain-text.ts';
import { isSameRepository } from '../sessions/same-repository.ts';
import { titleOf } from '../sessions/state.ts';
import { chosenSessions } from './chosen-sessions.ts';
import type { Command, CommandContext } from './context.ts';

interface Way extends vscode.QuickPickItem {
  go: () => PromiseLike<unknown>;
}

export const openResult: Command =
  (context) =>
  async (...args): Promise<void> => {
    const [ref] = await chosenSessions(context, args, {
      placeholder: 'Open the result branch of which session?',
      nothing: 'No session has pushed a result branch.',
      only: ({ status }) => status?.result?.branch !== undefined,
    });
    if (ref === undefined) return;
    const session = await (await context.clusters.client(ref.cluster)).get(sessions, ref);
    const { branch } = session.status?.result ?? {};
    const title = plain(titleOf(session), 80);
    if (branch === undefined || branchMistake(branch) !== undefined) {
      context.notify.info(`“${title}” has no result branch. ${plain(whyNone(session))}`);
      return;
    }
    const chosen = await vscode.window.showQuickPick(waysTo(context, session, branch), {
      title: `Result of “${title}”`,
      placeHolder: plain(branch),
    });
    if (chosen === undefined) return;
    try {
      await chosen.go();
    } catch (error) {
      context.notify.failed(`open ${plain(branch)}`, error, ref.cluster);
    }
  };

function whyNone({ spec, status }: Session): string {
  const { message } = findCondition(status?.conditions, 'ResultPushed') ?? {};
  if (message !== undefined) return message;
  return spec.result === undefined
    ? 'It was not asked for one: spec.result of a session says where its changes go.'
    : 'Its changes are pushed when it is completed.';
}

async function waysTo(context: CommandContext, { spec, status }: Session, branch: string): Promise<Way[]> {
  const url = spec.source?.git?.url ?? '';
  const { pullRequest } = status?.result ?? {};
  const ways: Way[] = [];
  for (const repository of (await openRepositories()) ?? []) {
    const remote = repository.state.remotes.find(({ fetchUrl, pushUrl }) =>
      [fetchUrl, pushUrl].some((address) => address !== undefined && isSameRepository(address, url)),
    );
    if (remote === undefined) continue;
    ways.push({
      label: `$(git-branch) Check Out in ${basename(repository.rootUri.path)}`,
      detail: repository.rootUri.fsPath,
      go: () => checkOut(context, repository, remote.name, branch),
    });
  }
  const address = webAddress(url);
  if (pullRequest !== undefined && webAddress(pullRequest) !== undefined)
    ways.push({
      label: '$(git-pull-request) Open Pull Request',
      detail: plain(pullRequest),
      go: () => vscode.env.openExternal(vscode.Uri.parse(pullRequest, true)),
    });
  if (address?.host === 'github.com') {
    const page = `${address.href.replace(/(\.git)?\/*$/, '')}/tree/${branch}`;
    ways.push({
      label: '$(link-external) Open Branch in Browser',
      detail: plain(page),
      go: () => vscode.env.openExternal(vscode.Uri.parse(page, true)),
    });
  }
  if (address !== undefined)
    ways.push({
      label: '$(repo-clone) Clone…',
      detail: `${plain(url)}, then open the branch from there`,
      go: () => vscode.commands.executeCommand('git.clone', url),
    });
  ways.push({
    label: '$(copy) Copy Name of Branch',
    detail: plain(branch),
    go: () => vscode.env.clipboard.writeText(branch),
  });
  return ways;
}

/** Undefined for what no browser, nor clone, shall be given. */
function webAddress(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  return ['https:', 'http:'].includes(url.protocol) ? url : undefined;
}

async function checkOut(
  context: CommandContext,
  repository: GitRepository,
  remote: string,
  branch: string,
): Promise<void> {
  const { state, rootUri } = repository;
  const folder = basename(rootUri.path);
  const isDirty = [state.workingTreeChanges, state.indexChanges, state.mergeChanges].some(
    ({ length }) => length > 0,
  );
  if (isDirty) {
    const detail = 'Git takes them along where the branch leaves those files alone, and otherwise refuses.';
    const question = `${folder} has changes that are not committed. Check out ${plain(branch)} all the same?`;
    const answer = await vscode.window.showWarningMessage(question, { modal: true, detail }, 'Check Out');
    if (answer === undefined) return;
  }
  const progress = { location: vscode.ProgressLocation.Notification, title: `Checking out ${plain(branch)}` };
  await vscode.window.withProgress(progress, async () => {
    const tracked = `${remote}/${branch}`;
    await repository.fetch(remote, `+refs/heads/${branch}:refs/remotes/${tracked}`);
    const isThere = await repository.getBranch(branch).then(
      () => true,
      () => false,
    );
    if (isThere) return await repository.checkout(branch);
    await repository.createBranch(branch, true, `refs/remotes/${tracked}`);
    await repository.setBranchUpstream(branch, tracked);
  });
  context.notify.info(`${folder} is on ${plain(branch)}.`);
}
