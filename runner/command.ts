/** Runs the command of the session: starts it, passes its output on, ends it when asked, and says how it ended. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import type { Readable } from 'node:stream';
import type { Listener } from './input/inbox.ts';
import type { Interruption } from './interruption.ts';
import { Descendants, outOfMemoryKills } from './processes.ts';
import type { Recorder, Stream } from './records.ts';
import { pause } from './retry.ts';

/** What the command left running gets so long to end by itself. */
const LEFTOVERS_MS = 2_000;
/** A pipe that stays silent so long after the command's end is held by a process out of reach. */
const SILENT_PIPE_MS = 1_000;

export interface CommandOptions {
  argv: readonly string[];
  cwd: string;
  env: Record<string, string>;
  recorder: Recorder;
  interruption: Interruption;
  /** All processes but the runner and PID 1 are the command's. */
  ownsAllProcesses: boolean;
  onStarted: (pid: number) => void;
  /** Where its input is open: the way to talk to it. Absent: its input is closed. */
  onListening?: (listener: Listener) => void;
}

export type CommandEnd =
  /** exitCode is 128 + signal when killed. */
  | { kind: 'ended'; exitCode: number; signal?: NodeJS.Signals; outOfMemory: boolean; leftovers: boolean }
  | { kind: 'not-found'; message: string }
  | { kind: 'not-started'; message: string };

const NOT_FOUND = new Set(['ENOENT', 'EACCES', 'ENOEXEC', 'ENOTDIR', 'ELOOP']);

/** Never rejects for anything the command does. */
export async function runCommand(options: CommandOptions): Promise<CommandEnd> {
  const { argv, recorder, interruption } = options;
  const killsBefore = await outOfMemoryKills();
  const program = argv[0] ?? '';
  const how = {
    cwd: options.cwd,
    env: options.env,
    // a session and process group of its own: one signal reaches all of it, and none reaches the runner
    detached: true,
  };
  const child =
    options.onListening === undefined
      ? spawn(program, argv.slice(1), { ...how, stdio: ['ignore', 'pipe', 'pipe'] })
      : spawn(program, argv.slice(1), { ...how, stdio: ['pipe', 'pipe', 'pipe'] });
  giveWay(child.pid);
  const failure = await started(child);
  if (failure || child.pid === undefined) return notStarted(program, failure);
  options.onStarted(child.pid);

  const descendants = new Descendants(child.pid, options.ownsAllProcesses);
  const { stdin } = child;
  if (stdin !== null)
    options.onListening?.({ stdin, interrupt: () => void descendants.signalGroup('SIGINT') });
  const pumps = [new Pump(child.stdout, 'stdout', recorder), new Pump(child.stderr, 'stderr', recorder)];
  let killTimer: NodeJS.Timeout | undefined;
  let killAt = Infinity;
  const listening = interruption.listen((graceSeconds) => {
    if (killAt === Infinity) descendants.signalGroup('SIGTERM');
    killAt = Math.min(killAt, performance.now() + graceSeconds * 1000);
    clearTimeout(killTimer);
    killTimer = setTimeout(() => descendants.signalGroup('SIGKILL'), Math.max(0, killAt - performance.now()));
  });
  let [code, signal] = [child.exitCode, child.signalCode];
  if (code === null && signal === null)
    [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  clearTimeout(killTimer);
  listening[Symbol.dispose]();

  const leftovers = await descendants.sweep(LEFTOVERS_MS);
  await Promise.all(pumps.map((pump) => pump.finish()));
  const killsAfter = await outOfMemoryKills();
  return {
    kind: 'ended',
    exitCode: code ?? 128 + (signal ? constants.signals[signal] : 0),
    ...(signal && { signal }),
    outOfMemory: killsBefore !== undefined && killsAfter !== undefined && killsAfter > killsBefore,
    leftovers,
  };
}

/**
 * The command and all that it starts come after the runner for the processor of their container, and after nobody else: however
 * many they become, what tells of them and ends them gets its turn. Priorities count within a control group only.
 */
function giveWay(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended, or the system does not let us: it runs all the same.
  }
}

async function started(child: ChildProcess): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await once(child, 'spawn');
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

function notStarted(program: string, error: NodeJS.ErrnoException | undefined): CommandEnd {
  const code = error?.code ?? 'unknown error';
  if (!NOT_FOUND.has(code))
    return { kind: 'not-started', message: `${program} could not be started: ${error?.message ?? code}` };
  const why = code === 'ENOENT' ? 'not found in the image or the workspace' : `cannot be executed (${code})`;
  return { kind: 'not-found', message: `command ${JSON.stringify(program)} ${why}` };
}

/** Moves one pipe into the records, no faster than the buffers take it. */
export class Pump {
  readonly #pipe: Readable;
  readonly #done: Promise<void>;
  /** Monotonic milliseconds of the last byte, or of the last moment at which the buffers were full. */
  #active = performance.now();

  constructor(pipe: Readable, stream: Stream, recorder: Recorder) {
    this.#pipe = pipe;
    this.#done = this.#move(stream, recorder);
  }

  /** Resolves when the last byte is recorded. */
  async finish(): Promise<void> {
    const ended = new AbortController();
    const watch = (async () => {
      this.#active = Math.max(this.#active, performance.now());
      while (await pause(SILENT_PIPE_MS / 4, ended.signal))
        if (performance.now() - this.#active > SILENT_PIPE_MS) this.#pipe.destroy();
    })();
    await this.#done;
    ended.abort();
    await watch;
  }

  async #move(stream: Stream, recorder: Recorder): Promise<void> {
    try {
      for await (const chunk of this.#pipe as AsyncIterable<Buffer>) {
        recorder.output(stream, chunk);
        this.#active = Infinity;
        await recorder.roomy();
        this.#active = performance.now();
      }
    } catch {
      // destroyed by finish, or the pipe broke: what came is recorded
    }
    recorder.outputEnded(stream);
  }
}
