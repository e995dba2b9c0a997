/** ambient.launch: by questions and a review of the exact YAML, or, given all answers, at once. */
import { randomUUID } from 'node:crypto';
import type { Session } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import { QuickQuestions } from '../ide/questions.ts';
import { runWizard } from '../ide/wizard.ts';
import { isComplete, sessionManifest } from '../sessions/launch-answers.ts';
import type { LaunchAnswers, LaunchArguments, LaunchSource } from '../sessions/launch-answers.ts';
import { LaunchSteps } from '../sessions/launch-steps.ts';
import type { Draft, LaunchOffers } from '../sessions/launch-draft.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { Command, CommandContext } from './context.ts';
import { textField } from './context.ts';
import { launchOffers, workspaceFolders } from './launch-offers.ts';
import { createSession, packFolder, showLaunched } from './launch-work.ts';
import { permitted } from './permitted.ts';
import { Cancelled } from './progress.ts';
import { reviewSession } from './review.ts';

const LAST_LAUNCH = 'ambient.lastLaunch';

/**
 * The argument is LaunchArguments, or a row of the tree that settles cluster and namespace. Resolves to the SessionRef
 * of the new session, undefined when cancelled. With `framework` in the argument nothing is asked, and errors reject.
 */
export const launch: Command =
  (context) =>
  async (given): Promise<SessionRef | undefined> => {
    const args = asArguments(given);
    if (isComplete(args)) return await launchAnswers(context, await completed(context, args));
    try {
      return await launchByQuestions(context, args);
    } catch (error) {
      if (!(error instanceof Cancelled)) context.notify.failed('launch the session', error, args.cluster);
      return undefined;
    }
  };

/** From a tree node only what it is there for; from a caller everything. */
function asArguments(given: unknown): LaunchArguments {
  if (typeof given !== 'object' || given === null) return {};
  if (typeof Reflect.get(given, 'framework') === 'string') return given;
  const cluster = textField(given, 'cluster');
  const namespace = textField(given, 'namespace');
  return {
    ...(cluster === undefined ? {} : { cluster }),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

async function completed(
  { clusters }: CommandContext,
  args: LaunchArguments & { framework: string },
): Promise<LaunchAnswers> {
  const kubeconfig = await clusters.kubeconfig();
  const cluster = args.cluster ?? kubeconfig.currentContext;
  if (cluster === undefined)
    throw new AmbientError('kubeconfig_invalid', 'The kubeconfig names no current context.');
  const own = kubeconfig.contexts.find(({ name }) => name === cluster)?.namespace;
  return {
    ...args,
    cluster,
    namespace: args.namespace ?? own ?? 'default',
    config: args.config ?? {},
    source: sourceOf(args.source),
  };
}

/** A folder without a path is the first one of the workspace. */
function sourceOf(source: Partial<LaunchSource> | undefined): LaunchSource {
  if (source?.type !== 'folder') return (source as LaunchSource | undefined) ?? { type: 'none' };
  const path = source.path ?? workspaceFolders()[0]?.path;
  if (path === undefined)
    throw new AmbientError('invalid_request', 'There is no (trusted) folder open that could be sent.');
  return { type: 'folder', path };
}

async function launchAnswers(context: CommandContext, answers: LaunchAnswers): Promise<SessionRef> {
  const session = await manifest(context, answers);
  const ref = await createSession(context, answers.cluster, session);
  showLaunched(context, ref);
  return ref;
}

/** Packs the folder first where one goes along, since its digest stands in the object. */
async function manifest(context: CommandContext, answers: LaunchAnswers): Promise<Session> {
  const { source } = answers;
  if (source.type !== 'folder') return sessionManifest(answers, randomUUID());
  const isOpen = workspaceFolders().some(({ path }) => path === source.path);
  if (!isOpen)
    throw new AmbientError('invalid_request', `${source.path} is not a folder of this (trusted) workspace.`);
  const refusal = await context.rights.refusal(answers.cluster, answers.namespace, 'upload');
  if (refusal !== undefined) throw new AmbientError('forbidden', refusal);
  return sessionManifest(answers, randomUUID(), await packFolder(context, source.path));
}

async function launchByQuestions(
  context: CommandContext,
  args: LaunchArguments,
): Promise<SessionRef | undefined> {
  const offers = launchOffers(context);
  const { cluster, namespace } = args;
  // Said before the first question, not after the last.
  if (cluster !== undefined && namespace !== undefined) {
    const [allowed] = await permitted(context, [{ cluster, namespace }], 'launch');
    if (allowed === undefined) return undefined;
  }
  const steps = new LaunchSteps(new QuickQuestions(), offers);
  let draft: Draft | undefined = await initialDraft(context, offers, args);
  for (let from: 'first' | 'last' = 'first'; ; from = 'last') {
    draft = await runWizard(steps.of, draft, from);
    if (draft === undefined) return undefined;
    const answers = draft.answers as LaunchAnswers;
    const session = await manifest(context, answers);
    const outcome = await reviewSession(context, answers.cluster, session, steps.of(draft).length + 1);
    if (outcome === 'back') continue;
    await context.workspaceState.update(LAST_LAUNCH, answers);
    if (outcome !== 'create') return undefined;
    return await createOrKeep(context, answers.cluster, session);
  }
}

/** What the cluster refuses after all stays open as YAML: no answer is lost. */
async function createOrKeep(
  context: CommandContext,
  cluster: string,
  session: Session,
): Promise<SessionRef | undefined> {
  try {
    const ref = await createSession(context, cluster, session);
    showLaunched(context, ref);
    return ref;
  } catch (error) {
    if (error instanceof Cancelled) throw error;
    const { keepOpen } = await import('./refused-launch.ts');
    await keepOpen(context, cluster, session, error);
    throw error;
  }
}

async function initialDraft(
  context: CommandContext,
  offers: LaunchOffers,
  { cluster, namespace }: LaunchArguments,
): Promise<Draft> {
  const clusters = await offers.clusters();
  if (clusters.length === 0)
    throw new AmbientError('kubeconfig_invalid', 'The kubeconfig has no context to launch a session in.');
  const last = context.workspaceState.get<Partial<LaunchAnswers>>(LAST_LAUNCH) ?? {};
  const settled = cluster ?? (clusters.length === 1 ? clusters[0] : undefined);
  return {
    answers: {
      ...(settled === undefined ? {} : { cluster: settled }),
      ...(namespace === undefined ? {} : { namespace }),
    },
    last,
    fixed: { cluster: cluster !== undefined, namespace: namespace !== undefined },
    clusters,
  };
}
