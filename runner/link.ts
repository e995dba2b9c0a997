/**
 * The command of a container beside this one (common/api/link.ts), as `runCommand` has it for a child: started, its
 * output passed on, ended when asked, and how it ended. Kubernetes ends a sidecar after the container, with SIGTERM.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { constants, existsSync, openSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { constants as system } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LINK_PIPES, LINK_READY } from '../common/api/link.ts';
import type { LinkPipe } from '../common/api/link.ts';
import { Pump } from './command.ts';
import type { CommandEnd, CommandOptions } from './command.ts';

const OPEN = constants.O_RDWR | constants.O_NONBLOCK;

export class Link {
  readonly folder: string;
  /** Aborts when the container has ended. */
  readonly #over = new AbortController();
  #isStarted = false;
  #hasTold = false;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Undefined when another runner was here before and died: it cannot be gone on with, and the container is ended. */
  static async make(folder: string): Promise<Link | undefined> {
    const link = new Link(folder);
    if (existsSync(join(folder, LINK_READY))) {
      link.#send('signal', 'KILL');
      link.#send('start', '71');
      link.#send('done', 'over');
      return undefined;
    }
    await promisify(execFile)(
      'mkfifo',
      LINK_PIPES.map((name) => join(folder, name)),
    );
    return link;
  }

  /** The container has ended. */
  terminated(): void {
    this.#over.abort();
  }

  async run({ recorder, interruption, onStarted }: CommandOptions): Promise<CommandEnd> {
    const pumps = [
      new Pump(this.#reader('stdout'), 'stdout', recorder),
      new Pump(this.#reader('stderr'), 'stderr', recorder),
    ];
    const words = this.#reader('words');
    this.#isStarted = true;
    this.#send('start', 'run');
    await writeFile(join(this.folder, LINK_READY), '');

    let hasBegun = false;
    let killTimer: NodeJS.Timeout | undefined;
    let isGivenUp = false;
    const listening = interruption.listen((graceSeconds) => {
      this.#send('signal', 'TERM');
      clearTimeout(killTimer);
      killTimer = setTimeout(() => this.#send('signal', 'KILL'), graceSeconds * 1000);
      // Its image may never come.
      if (!hasBegun) words.destroy();
      isGivenUp ||= !hasBegun;
    });
    const cut = (): void => void words.destroy();
    if (this.#over.signal.aborted) cut();
    else this.#over.signal.addEventListener('abort', cut, { once: true });
    let code: number | undefined;
    await eachLine(words, (word) => {
      if (word === 'begun') {
        hasBegun = true;
        onStarted(1);
        return;
      }
      code = Number(word);
      this.#hasTold = true;
      words.destroy();
    });
    clearTimeout(killTimer);
    listening[Symbol.dispose]();
    if (!hasBegun) {
      const message = isGivenUp
        ? 'the container had not started'
        : 'the container ended before its command began: its image needs /bin/sh';
      return { kind: 'not-started', message };
    }
    await Promise.all(pumps.map((pump) => pump.finish()));
    // One that is killed from outside tells nothing.
    const exitCode = code ?? 128 + system.signals.SIGKILL;
    return { kind: 'ended', exitCode, outOfMemory: false, leftovers: false };
  }

  /** Everything is handed in: lets the container end, and returns when it has. */
  async release(exitCode: number): Promise<void> {
    if (!this.#isStarted) this.#send('start', String(exitCode || 71));
    await writeFile(join(this.folder, LINK_READY), '');
    if (this.#isStarted && !this.#hasTold) this.#send('signal', 'KILL');
    this.#send('done', 'over');
    if (this.#over.signal.aborted) return;
    const alive = setInterval(() => undefined, 60_000);
    await once(this.#over.signal, 'abort');
    clearInterval(alive);
  }

  /** Waits for nobody: opened for both directions the pipe holds the words until they are read. */
  #send(pipe: LinkPipe, word: string): void {
    // Kept open to the end of the process, or the words would be lost.
    writeSync(openSync(join(this.folder, pipe), OPEN), `${word}\n`);
  }

  /** Ends when the last of the other side's writers has closed it, not before the first has come. */
  #reader(pipe: LinkPipe): Socket {
    const fd = openSync(join(this.folder, pipe), constants.O_RDONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: true, writable: false });
  }
}

/** Resolves when the pipe has ended, or was destroyed. */
function eachLine(pipe: Socket, take: (line: string) => void): Promise<void> {
  let held = '';
  return new Promise((resolve) => {
    pipe.on('error', () => undefined).on('close', () => resolve());
    pipe.setEncoding('utf8').on('data', (text: string) => {
      const lines = (held + text).split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) take(line);
    });
  });
}
