/** What people said, on its way into the command: in order, each once, kept until the command is there to hear it. */
import type { Writable } from 'node:stream';
import type { Said } from '../../common/api/runner.ts';
import type { AgentEvent } from '../agents/event.ts';
import type { Recorder } from '../records.ts';
import type { InputFormat } from './format.ts';

/** The command as far as it can be talked to. */
export interface Listener {
  stdin: Writable;
  /** Sends SIGINT to its process group. */
  interrupt: () => void;
}

export interface InboxOptions {
  format: InputFormat;
  /** Written before anything that was said. */
  opening?: string | undefined;
  recorder: Pick<Recorder, 'user' | 'status' | 'error' | 'question'>;
  /** Something was said. */
  onSaid: () => void;
}

export class Inbox {
  readonly #options: InboxOptions;
  #taken = 0;
  #waiting: Said[] = [];
  #listener: Listener | undefined;
  #isClosed = false;
  /** What the command waits to be told, the one that people see first. */
  #questions: AgentEvent[] = [];

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Number of the last one that was taken: what the operator need not send again. */
  get taken(): number {
    return this.#taken;
  }

  /** What was taken before, or leaves a gap, is left to the next answer. */
  take(said: readonly Said[]): void {
    for (const each of said) {
      if (each.seq !== this.#taken + 1) continue;
      this.#taken = each.seq;
      this.#waiting.push(each);
    }
    this.#deliver();
  }

  attach(listener: Listener): void {
    // A command that closes its input, or ends, breaks the pipe: what it does not hear is told when it is said.
    listener.stdin.on('error', () => (this.#isClosed = true));
    this.#listener = listener;
    if (this.#options.opening !== undefined) listener.stdin.write(this.#options.opening);
    this.#deliver();
  }

  /** Whether people are to see it now: of several that come at once one answer answers one. */
  asks(event: AgentEvent): boolean {
    if (this.#options.format.answer === undefined) return true;
    if (event.type !== 'question') return this.#withdraws(event);
    if (event.data?.['request'] === undefined) return true;
    this.#questions.push(event);
    return this.#questions.length === 1;
  }

  /** The command reads the end of its input: it is to finish by itself. */
  close(): void {
    this.#isClosed = true;
    this.#listener?.stdin.end();
  }

  #deliver(): void {
    const { recorder, onSaid } = this.#options;
    if (this.#listener === undefined) return;
    for (const said of this.#waiting.splice(0)) {
      onSaid();
      if (said.kind === 'interrupt') this.#interrupt(said, this.#listener);
      else if (this.#isClosed || this.#listener.stdin.destroyed)
        recorder.error(`the command has closed its input: it does not hear what ${said.by} said`, {
          name: 'message',
          data: { seq: said.seq, id: said.id },
        });
      else {
        this.#listener.stdin.write(this.#answer(said) ?? this.#options.format.message(said));
        recorder.user(said.text, { id: said.id, name: said.by, data: { seq: said.seq } });
        this.#askNext();
      }
    }
  }

  /** What was answered already cannot be taken back, and of what nobody has seen nothing is told. */
  #withdraws(event: AgentEvent): boolean {
    const index = this.#questions.findIndex(({ id }) => id === event.id);
    if (index === 0) {
      // Before the next one, which it makes room for.
      this.#options.recorder.question(event);
      this.#askNext();
    } else if (index > 0) this.#questions.splice(index, 1);
    return false;
  }

  #answer(said: Said): string | undefined {
    const [question] = this.#questions;
    return question === undefined ? undefined : this.#options.format.answer?.(question, said);
  }

  #askNext(): void {
    this.#questions.shift();
    const [next] = this.#questions;
    if (next !== undefined) this.#options.recorder.question(next);
  }

  #interrupt(said: Said, { stdin, interrupt }: Listener): void {
    // What is interrupted asks for nothing any more.
    this.#questions = [];
    const words = this.#options.format.interrupt(said);
    this.#options.recorder.status(`interrupted by ${said.by}`, {
      name: 'interrupt',
      data: { seq: said.seq, id: said.id },
    });
    if (words === undefined || this.#isClosed || stdin.destroyed) interrupt();
    else stdin.write(words);
  }
}
