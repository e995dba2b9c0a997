/** One run from the mounted description to the exit code: source, baseline, command, hand-in. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunDescription, RunResult } from '../common/api/runner.ts';
import { messageOf } from '../common/errors.ts';
import { translatorFor } from './agents/formats.ts';
import { Baseline } from './baseline.ts';
import { runCommand } from './command.ts';
import type { CommandEnd, CommandOptions } from './command.ts';
import { stopRequested } from './control.ts';
import { Endpoint, isRefused } from './endpoint.ts';
import {
  handInFiles,
  handInRecords,
  handInResult,
  leaveTerminationMessage,
  skippedInResult,
} from './hand-in.ts';
import type { HandInOptions, Work } from './hand-in.ts';
import { inputFormatOf } from './input/format-of.ts';
import { IdleWatch } from './input/idle-watch.ts';
import { Inbox } from './input/inbox.ts';
import type { Interruption } from './interruption.ts';
import type { Link } from './link.ts';
import type { Environment, Locations } from './locations.ts';
import { modelsEnvironment } from './models.ts';
import { endingOf, sentence, withLoss } from './outcome.ts';
import type { Ending } from './outcome.ts';
import { ownsAllProcesses } from './processes.ts';
import { Recorder } from './records.ts';
import type { Mirror } from './records.ts';
import { Sender } from './sender.ts';
import { readSessionFile } from './session-file.ts';
import { bringResumed } from './source/resume.ts';
import { SourceError } from './source/source-error.ts';
import { Spool } from './spool.ts';
import { bringSource, commandEnvironment, makeHome, seconds } from './workspace.ts';

/** Log records that may wait on disk for the operator before the command has to. */
const SPOOL_BYTES = 256 * 1024 * 1024;
/** A full store may be emptied, but a finished session does not wait long for that. */
const FULL_STORE_SECONDS = 30;

export interface RunContext {
  description: RunDescription;
  locations: Locations;
  env: Environment;
  interruption: Interruption;
  mirror: Mirror;
  now: () => Date;
  /** Monotonic milliseconds. */
  elapsed: () => number;
  random: () => number;
  self: { pid: number; ppid: number };
  /** The command is that of a container beside this one. */
  link?: Link;
  /** How long after deadline and grace period the runner still tries to reach the operator. */
  patienceSeconds: number;
}

/** Never rejects: what goes wrong is the result. */
export async function run(context: RunContext): Promise<RunResult> {
  const { description, locations, interruption, mirror, random, elapsed } = context;
  const { timeoutSeconds, gracePeriodSeconds } = description.limits;
  const scratch = await mkdtemp(join(locations.temporary, 'ambient-'));
  const over = new AbortController();
  const giveUp = setTimeout(
    () => over.abort(new Error('the operator could not be reached in time')),
    milliseconds(timeoutSeconds + gracePeriodSeconds + context.patienceSeconds),
  );
  const deadline = setTimeout(
    () => interruption.raise({ kind: 'deadline', seconds: timeoutSeconds }, gracePeriodSeconds),
    milliseconds(timeoutSeconds),
  );

  using endpoint = new Endpoint({
    ...description.endpoint,
    tokenFile: locations.token,
    currentCa: async () => (await readSessionFile(locations.description)).endpoint.ca,
    random,
  });
  let idle: IdleWatch | undefined;
  const touch = (): void => idle?.touch();
  // Whoever waits for money to be granted is not idle.
  let isPaused = false;
  const pausedIs = (is: boolean): void => {
    isPaused = is;
    idle?.hold(is);
  };
  await using spool = new Spool({ folder: scratch, limitBytes: SPOOL_BYTES });
  const recorder: Recorder = new Recorder({
    spool,
    mirror,
    now: context.now,
    translator: translatorFor(description.eventFormat, {
      workspace: locations.workspace,
      costs: description.models === undefined,
    }),
    unreportable: over.signal,
    onOutput: touch,
    asks: (event): boolean => inbox?.asks(event) ?? true,
  });
  const inbox: Inbox | undefined =
    description.input === 'messages' ? inboxFor(description, recorder, touch) : undefined;
  const sender = new Sender({
    endpoint,
    spool,
    random,
    elapsed,
    onTrouble: (message) =>
      mirror.say(message === undefined ? 'the log is stored again' : `the log waits: ${message}`),
  });
  const refused = (error: unknown): void => {
    if (over.signal.aborted) return;
    interruption.raise({ kind: 'refused', message: messageOf(error) }, gracePeriodSeconds);
    over.abort(error);
  };
  const sending = sender.run(over.signal).catch(refused);
  const listening = new AbortController();
  const control = stopRequested(endpoint, {
    signal: listening.signal,
    elapsed,
    ...(inbox && { inbox }),
    ...(description.limits.idleSeconds !== undefined && { onPaused: pausedIs }),
  }).then((stop) => {
    if (stop) {
      const { gracePeriodSeconds: grace, ...who } = stop;
      interruption.raise({ kind: 'stop', ...who }, grace);
    }
  }, refused);

  const handIn: HandInOptions = {
    endpoint,
    recorder,
    sender,
    locations,
    scratch,
    fullStoreMs: Math.min(FULL_STORE_SECONDS, context.patienceSeconds) * 1000,
    signal: over.signal,
  };
  const times: Pick<RunResult, 'startedAt' | 'finishedAt' | 'sourceCommit'> = { finishedAt: '' };
  let result: RunResult | undefined;
  try {
    const work = await commandPhase(
      context,
      { endpoint, recorder, scratch, inbox },
      {
        onSource: (commit) => void (times.sourceCommit = commit),
        onStarted: () => {
          times.startedAt = context.now().toISOString();
          if (inbox !== undefined) idle = watchIdle(context, recorder, inbox);
          idle?.hold(isPaused);
        },
      },
    ).catch((error: unknown): Work => {
      if (over.signal.aborted || isRefused(error)) throw error;
      recorder.error(messageOf(error));
      return { ending: { outcome: 'RunnerError', message: sentence(messageOf(error)) } };
    });
    clearTimeout(deadline);
    idle?.[Symbol.dispose]();
    listening.abort();
    times.finishedAt = context.now().toISOString();
    result = { ...work.ending, ...times, lastSeq: recorder.lastSeq };
    // stands if the runner is killed from here on
    const cutShort = withLoss(work.ending, 'The runner was killed before it had handed in everything.');
    await leaveTerminationMessage({ ...result, ...cutShort }, locations.terminationMessage);
    const files = await handInFiles(work, handIn);
    const loss = await handInRecords(handIn);
    const ending = loss === undefined ? files.ending : withLoss(files.ending, loss);
    result = {
      ...ending,
      message: ending.message.slice(0, 4096),
      ...times,
      lastSeq: recorder.lastSeq,
      ...skippedInResult(files.skipped),
    };
    await handInResult(result, handIn);
  } catch (error) {
    const cause = interruption.cause;
    const why = cause?.kind === 'refused' ? cause.message : messageOf(over.signal.reason ?? error);
    result = {
      outcome: 'RunnerError',
      message: `${sentence(`the run could not be reported: ${why}`)} ${result?.message ?? ''}`
        .trim()
        .slice(0, 4096),
      ...(result?.exitCode !== undefined && { exitCode: result.exitCode }),
      ...times,
      finishedAt: times.finishedAt || context.now().toISOString(),
      lastSeq: recorder.lastSeq,
    };
  } finally {
    clearTimeout(deadline);
    clearTimeout(giveUp);
    idle?.[Symbol.dispose]();
    listening.abort();
    over.abort(new Error('the run is over'));
    await Promise.all([sending, control]);
    await rm(scratch, { recursive: true, force: true });
  }
  await leaveTerminationMessage(result, locations.terminationMessage);
  return result;
}

/** setTimeout takes at most 2^31 - 1 milliseconds, more than the longest session. */
const milliseconds = (value: number): number => Math.min(value * 1000, 2 ** 31 - 1);

function inboxFor(description: RunDescription, recorder: Recorder, onSaid: () => void): Inbox {
  const format = inputFormatOf(description.eventFormat);
  return new Inbox({ format, opening: format.opening?.(description), recorder, onSaid });
}

/** First the command is told that nobody says anything more, then it is ended. */
function watchIdle(
  { description, interruption, elapsed }: RunContext,
  recorder: Recorder,
  inbox: Inbox,
): IdleWatch | undefined {
  const { idleSeconds, gracePeriodSeconds } = description.limits;
  if (idleSeconds === undefined) return undefined;
  return new IdleWatch({
    milliseconds: idleSeconds * 1000,
    graceMs: gracePeriodSeconds * 1000,
    elapsed,
    onIdle: () => {
      recorder.status(`nothing was said for ${idleSeconds} s: the command's input is closed`, {
        name: 'idle',
      });
      inbox.close();
    },
    onOverdue: () => interruption.raise({ kind: 'idle', seconds: idleSeconds }, gracePeriodSeconds),
  });
}

interface Tools {
  endpoint: Endpoint;
  recorder: Recorder;
  scratch: string;
  /** Absent where the command takes no messages. */
  inbox: Inbox | undefined;
}

/** Everything up to the command's end. Rejects only when the operator refuses this runner. */
async function commandPhase(
  context: RunContext,
  { endpoint, recorder, scratch, inbox }: Tools,
  { onSource, onStarted }: { onSource: (commit: string) => void; onStarted: () => void },
): Promise<Work> {
  const { description, locations, env, interruption, elapsed, link } = context;
  const gitHome = join(scratch, 'git-home');
  await mkdir(gitHome, { mode: 0o700 });
  const signal = interruption.signal;
  let baseline: Baseline | undefined;
  let resumedLog: string | undefined;
  // A command in a container of its own has another /tmp.
  const memory = link === undefined ? join(locations.temporary, 'memory') : undefined;
  try {
    if (memory !== undefined) await mkdir(memory, { recursive: true });
    const from = { description, locations, env, endpoint, recorder, scratch, gitHome, elapsed, signal };
    const commit = await bringSource(from);
    if (commit !== undefined) onSource(commit);
    baseline = await snapshot(context, recorder, scratch, gitHome);
    // After the snapshot, so that changes.patch holds what both sessions changed.
    if (description.resume) {
      const { session } = description.resume;
      const resumed = await bringResumed({
        endpoint,
        session,
        scratch,
        temporary: locations.temporary,
        memory,
        git: { cwd: locations.workspace, home: gitHome, signal },
      });
      resumedLog = resumed.log;
      const [changes, remembered] = [resumed.hasChanges, resumed.remembers];
      const what = [...(changes ? ['its changes'] : []), ...(remembered ? ['what its agent remembers'] : [])];
      recorder.status(
        `goes on from session ${session}${what.length === 0 ? '' : `, with ${what.join(' and ')}`}`,
        { name: 'source' },
      );
      if (resumed.memoryTrouble !== undefined)
        recorder.error(`what its agent remembers cannot be used: ${resumed.memoryTrouble}`, {
          name: 'source',
        });
    }
  } catch (error) {
    if (isRefused(error)) throw error;
    if (!signal.aborted) {
      const message = messageOf(error);
      recorder.error(message, { name: 'source' });
      const outcome = error instanceof SourceError ? 'SourceUnavailable' : 'RunnerError';
      return { ending: { outcome, message: sentence(message).slice(0, 2000) } };
    }
  }
  if (signal.aborted) {
    const ending = endingOf(undefined, interruption.cause);
    recorder.status(ending.message, { name: 'exit' });
    return { ending };
  }

  const home = await makeHome(locations.temporary);
  const models = await modelsEnvironment(description, locations, link?.folder);
  const from = elapsed();
  const said = interruption.listen((grace) => {
    const cause = endingOf(undefined, interruption.cause).message.replace(
      / before the command started\.$/,
      '',
    );
    recorder.status(`${cause}; ending the command, it has ${grace} s`, { name: 'stop' });
  });
  const execute = (options: CommandOptions): Promise<CommandEnd> =>
    link === undefined ? runCommand(options) : link.run(options);
  const end = await execute({
    argv: description.command,
    cwd: locations.workspace,
    env: { ...commandEnvironment(context, home, { resumedLog, memory }), ...models },
    recorder,
    interruption,
    ownsAllProcesses: ownsAllProcesses(context.self, env),
    ...(inbox && { onListening: (listener) => inbox.attach(listener) }),
    onStarted: (pid) => {
      onStarted();
      recorder.status(`started: ${description.command.map(shown).join(' ')}`, {
        name: 'start',
        data: { pid },
      });
    },
  });
  const ending = endingOf(end, interruption.cause);
  said[Symbol.dispose]();
  sayEnd(recorder, end, seconds(elapsed() - from), ending);
  return { ending, ...(baseline && { baseline }), ...(memory !== undefined && { memory }) };
}

/** Without it there is no patch, which is no reason not to run. */
async function snapshot(
  { locations, interruption }: RunContext,
  recorder: Recorder,
  scratch: string,
  home: string,
): Promise<Baseline | undefined> {
  try {
    const options = { cwd: locations.workspace, home, signal: interruption.signal };
    return await Baseline.take(join(scratch, 'baseline'), options);
  } catch (error) {
    if (!interruption.signal.aborted)
      recorder.error(`there will be no changes.patch: ${messageOf(error)}`, { name: 'source' });
    return undefined;
  }
}

function sayEnd(recorder: Recorder, end: CommandEnd, took: string, ending: Ending): void {
  if (end.kind !== 'ended') {
    recorder.error(end.message, { name: 'exit' });
    return;
  }
  const how = end.signal ? `killed by ${end.signal}` : `exit code ${end.exitCode}`;
  recorder.status(`${how} after ${took}`, { name: 'exit', data: { exitCode: end.exitCode } });
  if (end.outOfMemory) recorder.error(ending.message, { name: 'exit' });
  if (end.leftovers) recorder.status('ended processes that the command had left running', { name: 'exit' });
}

/** An argument as a shell would need it, so that people can read and repeat the command. */
const shown = (argument: string): string =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
