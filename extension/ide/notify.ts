/** Messages to the person: what happened, what to do, and a button that does it. Everything also goes to the log. */
import * as vscode from 'vscode';
import { AmbientError, messageOf } from '../../common/errors.ts';
import { liveProblemOf } from '../clusters/problem.ts';
import type { Problem, ProblemAction } from '../clusters/problem.ts';
import { plainMessage } from './plain-text.ts';

export class Notify {
  readonly #output: vscode.LogOutputChannel;

  constructor(output: vscode.LogOutputChannel) {
    this.#output = output;
  }

  /** `doing` completes "Could not …". Returns at once: nobody waits until a message is read. */
  failed(doing: string, error: unknown, cluster = ''): void {
    this.log(doing, error);
    const { message, remedy, actions } = liveProblemOf(error, cluster);
    this.#show('error', `Could not ${doing}: ${sentence(message)} ${remedy}`, actions);
  }

  problem({ title, message, remedy, actions }: Problem): void {
    this.#show('error', `${title}: ${sentence(message)} ${remedy}`, actions);
  }

  warn(message: string, actions: readonly ProblemAction[] = []): void {
    this.#output.warn(message);
    this.#show('warning', message, actions);
  }

  info(message: string, actions: readonly ProblemAction[] = []): void {
    this.#output.info(message);
    this.#show('information', message, actions);
  }

  /** To the log only. */
  log(doing: string, error?: unknown): void {
    if (error === undefined) this.#output.info(doing);
    else this.#output.error(`${doing}: ${describe(error)}`);
  }

  /** Hands a promise that nobody awaits to the log, should it fail. */
  background(doing: string, work: PromiseLike<unknown>): void {
    work.then(undefined, (error: unknown) => this.log(doing, error));
  }

  #show(
    severity: 'error' | 'warning' | 'information',
    text: string,
    actions: readonly ProblemAction[],
  ): void {
    const message = plainMessage(text);
    const titles = actions.map(({ title }) => title);
    const shown =
      severity === 'error'
        ? vscode.window.showErrorMessage(message, ...titles)
        : severity === 'warning'
          ? vscode.window.showWarningMessage(message, ...titles)
          : vscode.window.showInformationMessage(message, ...titles);
    this.background(
      'showing a message',
      shown.then(async (title) => {
        const action = actions.find((each) => each.title === title);
        if (action !== undefined)
          await vscode.commands.executeCommand(action.command, ...(action.arguments ?? []));
      }),
    );
  }
}

const sentence = (text: string): string => (/[.!?…]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`);

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = error instanceof AmbientError ? ` [${error.code}]` : '';
  const stack = error.stack ?? error.message;
  const cause = error.cause === undefined ? '' : `\n  caused by ${messageOf(error.cause)}`;
  return `${error.message}${code}${cause}\n${stack}`;
}
