/** The last step of a launch: the exact YAML in an editor, already tried by the cluster, and what to do with it. */
import * as vscode from 'vscode';
import { messageOf } from '../../common/errors.ts';
import type { Session } from '../../common/api/session.ts';
import { count, formatBytes } from '../../common/rules/wording.ts';
import { plain } from '../ide/plain-text.ts';
import { QuickQuestions } from '../ide/questions.ts';
import type { Choice } from '../ide/questions.ts';
import { dryRun, listFrameworks } from '../sessions/launch.ts';
import { LAUNCH_TITLE } from '../sessions/launch-draft.ts';
import type { SourceArchive } from '../sessions/source-archive.ts';
import { titleOf } from '../sessions/state.ts';
import type { CommandContext } from './context.ts';
import { launchPolicy } from './launch-offers.ts';

const WARNINGS_SHOWN = 3;

export type ReviewOutcome = 'create' | 'edit' | 'back' | 'cancel';

export async function reviewSession(
  context: CommandContext,
  cluster: string,
  session: Session,
  step: number,
): Promise<ReviewOutcome> {
  const { toYaml } = await import('../sessions/session-yaml.ts');
  const archive = context.packed.get(session.spec.source?.upload?.digest ?? '');
  const policy = await launchPolicy(context, cluster, session.metadata.namespace ?? '');
  const terms = policy?.terms(session.spec) ?? [];
  const forbidden = policy?.violations(session.spec) ?? [];
  const text = toYaml(session, { header: summary(cluster, session, archive, terms) });
  // What is forbidden need not be tried.
  const refused =
    forbidden.length > 0
      ? Promise.resolve(forbidden.map(({ message }) => message).join(' '))
      : refusal(context, cluster, session);
  const uri = await context.previews.show(plain(titleOf(session), 60).replaceAll(/[/\\?#%:]/g, '-'), text);
  const choices = refused.then((reason): Choice<ReviewOutcome>[] => [
    reason === undefined
      ? {
          label: '$(rocket) Create',
          value: 'create',
          description: 'the cluster would accept it (dry run)',
          // One line: first what keeps it from starting.
          ...(terms.length === 0 ? {} : { detail: plain(terms.join(' '), 400) }),
        }
      : { label: '$(arrow-left) Back, to change the answers', value: 'back', detail: plain(reason, 400) },
    { label: '$(edit) Edit YAML', value: 'edit', detail: 'Then “Launch Session from YAML”' },
    ...(reason === undefined ? [{ label: '$(arrow-left) Back', value: 'back' as const }] : []),
    { label: '$(close) Cancel', value: 'cancel' },
  ]);
  const answer = await new QuickQuestions().pick<ReviewOutcome>({
    title: LAUNCH_TITLE,
    step,
    total: step,
    canGoBack: true,
    placeholder: `Create this session in ${plain(session.metadata.namespace ?? '')} of ${plain(cluster)}?`,
    choices,
  });
  await context.previews.close(uri);
  const outcome = answer.go === 'next' ? answer.value : answer.go;
  if (outcome === 'edit') {
    const document = await vscode.workspace.openTextDocument({ language: 'yaml', content: text });
    context.editing.set(document.uri.toString(), cluster);
    await vscode.window.showTextDocument(document, { preview: false });
  }
  return outcome;
}

/** What the object alone does not say: where it goes, and what the archive holds that it names by its digest. */
function summary(
  cluster: string,
  { metadata, spec }: Session,
  archive: SourceArchive | undefined,
  terms: readonly string[],
): string {
  const lines = [
    'The session as it will be created.',
    `Cluster:   ${plain(cluster)}`,
    `Namespace: ${metadata.namespace ?? ''}`,
    `Framework: ${spec.framework.type}`,
  ];
  if (archive !== undefined) {
    const { folder, files, sizeBytes, hasHistory, warnings } = archive;
    const history = hasHistory ? 'with history' : 'without history';
    lines.push(
      `Source:    ${plain(folder)}, ${count(files, 'file')}, ${formatBytes(sizeBytes)} packed, ${history}`,
    );
    lines.push(...warnings.slice(0, WARNINGS_SHOWN).map((warning) => `           ${plain(warning)}`));
  }
  lines.push(
    ...terms.map((term, index) => `${index === 0 ? 'Policy:    ' : '           '}${plain(term, 400)}`),
  );
  return lines.join('\n');
}

/** Why the session would be refused, by the API server or by the operator; undefined when it would not. */
export async function refusal(
  { clusters, notify }: CommandContext,
  cluster: string,
  session: Session,
): Promise<string | undefined> {
  try {
    const client = await clusters.client(cluster);
    const [frameworks, { admissionProblem }] = await Promise.all([
      listFrameworks(client),
      import('../sessions/session-yaml.ts'),
      dryRun(client, session),
    ]);
    return admissionProblem(session, frameworks);
  } catch (error) {
    notify.log('trying the session without creating it', error);
    return messageOf(error);
  }
}
