/** Step: the run is over. Collect what it left, judge it, and write the end. */
import { DEFAULT_TIMEOUT_SECONDS } from '../../../common/api/session.ts';
import { Compile } from 'typebox/compile';
import { RunResult } from '../../../common/api/runner.ts';
import { isTrue } from '../../../common/rules/conditions.ts';
import { judge } from '../../../common/rules/outcome.ts';
import type { Outcome } from '../../../common/rules/outcome.ts';
import { nextPhase } from '../../../common/rules/phase.ts';
import { count, formatBytes, formatList } from '../../../common/rules/wording.ts';
import { RUNNER_CONTAINER } from './job.ts';
import { stopOf } from './stop.ts';
import type { Ending, Look, StepResult } from './step.ts';

const resultValidator = Compile(RunResult);

export async function finish(look: Look): Promise<StepResult> {
  const { session, draft, ending, controller } = look;
  if (ending === undefined) return 'done';
  const result = (await controller.records.result(session)) ?? lastWords(ending);
  const outcome = ending.outcome ?? (await judgeRun(look, ending, result));

  // Completed comes after Running, also for a run that was over before anybody looked: one write each.
  const next = nextPhase(session.status?.phase, outcome.phase);
  if (next !== undefined && next !== outcome.phase) {
    draft.moveTo(next);
    return 'done';
  }
  await collect(look, ending, outcome, result);
  const cost = await controller.records.cost(session);
  if (cost !== undefined) draft.cost(cost);
  draft.finish(outcome, result?.finishedAt ?? ending.completionTime);
  return 'done';
}

/** A runner that could not report, as when the store is full, leaves its result in the container's termination message. */
function lastWords({ container }: Ending): RunResult | undefined {
  if (container?.message.startsWith('{') !== true) return undefined;
  try {
    const parsed: unknown = JSON.parse(container.message);
    return resultValidator.Check(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

async function judgeRun({ session, controller }: Look, ending: Ending, result: RunResult | undefined) {
  return judge({
    result,
    container: ending.container,
    pod: ending.pod,
    stop: stopOf(session),
    storageFull: result?.outcome === 'Succeeded' ? false : await controller.records.storageFull(),
    limits: {
      timeoutSeconds: session.spec.limits?.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
      memory: session.status?.workload?.resources?.['memory'] ?? session.spec.limits?.memory ?? 'its limit',
    },
    paused: isTrue(session.status?.conditions, 'BudgetPaused'),
  });
}

async function collect(
  look: Look,
  ending: Ending,
  outcome: Outcome,
  result: RunResult | undefined,
): Promise<void> {
  const { session, draft, controller } = look;
  const artifacts = await controller.records.artifacts(session);
  const { generated, count: total, totalBytes, storedBytes, products } = artifacts;
  if (storedBytes > 0 || total > 0) {
    const voucher = await controller.records.vouch(session, products, {
      outcome: outcome.reason,
      exitCode: result?.exitCode,
      finishedAt: result?.finishedAt ?? ending.completionTime,
      imageId: imageIdOf(look),
      commit: result?.sourceCommit,
    });
    draft.artifacts({
      generated,
      count: total,
      totalBytes,
      storedBytes: storedBytes + (voucher?.size ?? 0),
      ...(voucher && { provenance: voucher.provenance }),
    });
  }
  const skipped = result?.skippedArtifacts ?? [];
  const what = total === 0 ? 'No artifacts.' : `${count(total, 'artifact')}, ${formatBytes(totalBytes)}.`;
  if (skipped.length > 0)
    draft.condition({
      type: 'ArtifactsGenerated',
      status: 'False',
      reason: 'Incomplete',
      message: `${what} Not stored: ${formatList(
        skipped.map(({ path, reason }) => `${path} (${reason})`),
        10,
      )}`,
    });
  else if (result !== undefined || total > 0)
    draft.condition({
      type: 'ArtifactsGenerated',
      status: result === undefined ? 'False' : 'True',
      reason: result === undefined ? 'Incomplete' : total === 0 ? 'NoArtifacts' : 'Collected',
      message: result === undefined ? `${what} The run ended before it told whether these are all.` : what,
    });
}

/** By content, as the kubelet has pulled it. */
const imageIdOf = ({ pod }: Look): string | undefined =>
  pod?.status?.containerStatuses?.find(({ name }) => name === RUNNER_CONTAINER)?.imageID;
