/** The runner: PID 1, or its direct child, in a framework image. Composes one run and exits with the truth. */
import { PUSH_STEP } from '../common/api/push.ts';
import { RUNNER_EXIT, STEP_VARIABLE } from '../common/api/runner.ts';
import type { RunResult } from '../common/api/runner.ts';
import { messageOf } from '../common/errors.ts';
import { LINK_VARIABLE } from '../common/api/link.ts';
import { leaveTerminationMessage } from './hand-in.ts';
import { Interruption } from './interruption.ts';
import { Link } from './link.ts';
import { locationsFrom } from './locations.ts';
import { runnerExitCode, sentence } from './outcome.ts';
import type { Mirror } from './records.ts';
import { pushStep } from './result/push-step.ts';
import { run } from './run.ts';
import { readSessionFile } from './session-file.ts';
import { bring } from './source/bring.ts';
import { awaitRun, describeToCommand } from './waiting.ts';

const PATIENCE_SECONDS = 300;

// a reader of `kubectl logs` that goes away must not end the session
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
const mirror: Mirror = {
  raw: (stream, chunk) => void process[stream].write(chunk),
  say: (line) => void process.stdout.write(`[ambient] ${line}\n`),
};
const now = (): Date => new Date();
const elapsed = (): number => performance.now();
const random = (): number => Math.random();
const locations = locationsFrom(process.env);

async function main(link: Link | undefined): Promise<RunResult> {
  const interruption = new Interruption();
  let graceSeconds = 0;
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      // A sidecar is told when the container it is beside has ended: that is no reason to hurry.
      if (link !== undefined) link.terminated();
      else interruption.raise({ kind: 'terminated', signal }, graceSeconds);
    });
  try {
    const mounted = await readSessionFile(locations.description);
    const waits = 'waits' in mounted;
    const { signal } = interruption;
    const description = waits
      ? await awaitRun(mounted, { locations, mirror, elapsed, random, signal })
      : mounted;
    graceSeconds = description.limits.gracePeriodSeconds;
    return await run({
      description,
      locations: waits ? await describeToCommand(description, locations) : locations,
      env: process.env,
      interruption,
      mirror,
      now,
      elapsed,
      random,
      self: { pid: process.pid, ppid: process.ppid },
      ...(link && { link }),
      patienceSeconds: Number(process.env.AMBIENT_PATIENCE_SECONDS ?? PATIENCE_SECONDS),
    });
  } catch (error) {
    const result: RunResult = {
      outcome: 'RunnerError',
      message: sentence(messageOf(error)).slice(0, 4096),
      finishedAt: now().toISOString(),
      lastSeq: 0,
    };
    await leaveTerminationMessage(result, locations.terminationMessage);
    return result;
  }
}

if (process.env[STEP_VARIABLE] === 'source') {
  // How it went is told by the runner, which can report.
  await bring(locations, process.env);
  process.exit(0);
}
if (process.env[STEP_VARIABLE] === PUSH_STEP)
  process.exit(
    await pushStep({
      locations,
      env: process.env,
      say: (line) => mirror.say(line),
      random: () => Math.random(),
    }),
  );
const linkFolder = process.env[LINK_VARIABLE];
const link = linkFolder === undefined ? undefined : await Link.make(linkFolder);
if (linkFolder !== undefined && link === undefined) {
  mirror.say('an earlier runner of this pod has died: its command is ended');
  process.on('SIGTERM', () => process.exit(RUNNER_EXIT.internal));
  await new Promise<never>(() => setInterval(() => undefined, 60_000));
}
const result = await main(link);
mirror.say(`${result.outcome}: ${result.message} (${result.lastSeq} records)`);
await link?.release(runnerExitCode(result));
process.exit(runnerExitCode(result));
