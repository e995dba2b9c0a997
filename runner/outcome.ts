/** What a run came to: outcome, exit code of the runner, and the sentence for a person. */
import { RUNNER_EXIT } from '../common/api/runner.ts';
import type { RunResult } from '../common/api/runner.ts';
import type { CommandEnd } from './command.ts';
import { describeCause } from './interruption.ts';
import type { Cause } from './interruption.ts';

export interface Ending {
  outcome: RunResult['outcome'];
  message: string;
  /** The command's own. */
  exitCode?: number;
}

/** `cause` is what interrupted the run before the command had ended, if anything did. */
export function endingOf(end: CommandEnd | undefined, cause: Cause | undefined): Ending {
  const exitCode = end?.kind === 'ended' ? { exitCode: end.exitCode } : {};
  if (cause) {
    const before = end === undefined ? ' before the command started' : '';
    return { outcome: outcomeOf(cause), message: sentence(describeCause(cause) + before), ...exitCode };
  }
  if (end === undefined) return { outcome: 'RunnerError', message: 'The command was not started.' };
  switch (end.kind) {
    case 'not-found':
      return { outcome: 'CommandNotFound', message: sentence(end.message) };
    case 'not-started':
      return { outcome: 'RunnerError', message: sentence(end.message) };
    case 'ended':
      if (end.exitCode === 0)
        return { outcome: 'Succeeded', message: 'The command ended with exit code 0.', ...exitCode };
      return { outcome: 'CommandFailed', message: `${howItFailed(end)}.`, ...exitCode };
  }
}

function howItFailed(end: Extract<CommandEnd, { kind: 'ended' }>): string {
  const how = end.signal
    ? `The command was killed by ${end.signal}`
    : `The command ended with exit code ${end.exitCode}`;
  return end.outOfMemory ? `${how}; the memory limit of the pod was reached` : how;
}

function outcomeOf(cause: Cause): RunResult['outcome'] {
  switch (cause.kind) {
    case 'stop':
    case 'terminated':
      return 'Stopped';
    case 'deadline':
    case 'idle':
      return 'DeadlineExceeded';
    case 'refused':
      return 'RunnerError';
  }
}

/** Something could not be kept: that is the outcome of an otherwise good run, and a remark on a bad one. */
export const withLoss = (ending: Ending, loss: string): Ending => ({
  ...ending,
  outcome: ending.outcome === 'Succeeded' ? 'ArtifactsIncomplete' : ending.outcome,
  message: `${ending.message} ${loss}`,
});

/** Exit code of the runner, as the contract lists them. */
export function runnerExitCode({ outcome, exitCode }: Pick<RunResult, 'outcome' | 'exitCode'>): number {
  switch (outcome) {
    case 'Succeeded':
      return 0;
    case 'CommandFailed':
      return exitCode ?? 1;
    case 'CommandNotFound':
      return RUNNER_EXIT.notFound;
    case 'Stopped':
      return RUNNER_EXIT.stopped;
    case 'DeadlineExceeded':
      return RUNNER_EXIT.deadline;
    case 'SourceUnavailable':
      return RUNNER_EXIT.source;
    case 'ArtifactsIncomplete':
      return RUNNER_EXIT.artifacts;
    case 'RunnerError':
      return RUNNER_EXIT.internal;
  }
}

export const sentence = (text: string): string =>
  `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
