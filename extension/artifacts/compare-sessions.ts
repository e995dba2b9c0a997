/** ambient.compareArtifacts: the files at which two sessions differ, to be picked and opened as diffs. */
import * as vscode from 'vscode';
import { count } from '../../common/rules/wording.ts';
import { plain, plainMessage } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { artifactUri } from './artifact-uri.ts';
import { compareArtifacts } from './compare.ts';
import type { Difference } from './compare.ts';
import type { LiveArtifacts } from './live.ts';

const WORDS: Readonly<
  Record<Difference['kind'], { icon: string; word: (left: string, right: string) => string }>
> = {
  changed: { icon: 'diff-modified', word: () => 'differs' },
  left: { icon: 'diff-removed', word: (left) => `only in ${left}` },
  right: { icon: 'diff-added', word: (_, right) => `only in ${right}` },
};

type Item = vscode.QuickPickItem & { open: () => Thenable<unknown> };

/** Opens one diff after the other until the person has seen enough. Throws KubeError. */
export async function compareSessions(
  live: LiveArtifacts,
  left: SessionRef,
  right: SessionRef,
): Promise<void> {
  const { differences, same } = compareArtifacts(...(await Promise.all([live.list(left), live.list(right)])));
  const [first, second] = [plain(left.name, 60), plain(right.name, 60)];
  if (differences.length === 0) {
    const what = same === 0 ? 'Neither has artifacts.' : `${count(same, 'artifact')}, all the same.`;
    await vscode.window.showInformationMessage(plainMessage(`${first} and ${second}: ${what}`));
    return;
  }
  const at = (ref: SessionRef, path: string): vscode.Uri => vscode.Uri.from(artifactUri(ref, path));
  const all: Item = {
    label: `$(diff-multiple) All ${differences.length} at once`,
    open: () =>
      vscode.commands.executeCommand(
        'vscode.changes',
        `${first} ↔ ${second}`,
        differences.map(({ path, kind }) => [
          at(kind === 'right' ? right : left, path),
          kind === 'right' ? undefined : at(left, path),
          kind === 'left' ? undefined : at(right, path),
        ]),
      ),
  };
  const items = differences.map(({ path, kind }): Item => {
    const { icon, word } = WORDS[kind];
    return {
      label: `$(${icon}) ${plain(path, 160)}`,
      description: word(first, second),
      open: () =>
        kind === 'changed'
          ? vscode.commands.executeCommand(
              'vscode.diff',
              at(left, path),
              at(right, path),
              `${plain(path, 80)} (${first} ↔ ${second})`,
            )
          : vscode.commands.executeCommand('ambient.openArtifact', kind === 'left' ? left : right, path),
    };
  });
  const chosen = await vscode.window.showQuickPick(differences.length > 1 ? [all, ...items] : items, {
    title: `Artifacts of ${first} and ${second}`,
    placeHolder: `${count(differences.length, 'difference')}, ${same} the same`,
  });
  await chosen?.open();
}
