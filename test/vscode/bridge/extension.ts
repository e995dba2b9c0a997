/** Runs in the extension host: evaluates what a UI test sends over a socket, as a browser test does in its page. */
import { mkdirSync, renameSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import path from 'node:path';
import { runInThisContext } from 'node:vm';
import * as vscode from 'vscode';
import type { BridgeAnswer, BridgeRequest } from './protocol.ts';
import { BRIDGE_FOLDER_VARIABLE } from './protocol.ts';

export function activate(context: vscode.ExtensionContext): void {
  const folder = process.env[BRIDGE_FOLDER_VARIABLE];
  if (folder === undefined) return;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket
      .setEncoding('utf8')
      .on('data', (part: string) => (text += part))
      .on('end', () => {
        answer(text).then(
          (reply) => end(socket, reply),
          (error: unknown) => end(socket, { error: describe(error) }),
        );
      })
      .on('error', () => undefined);
  });
  mkdirSync(folder, { recursive: true });
  // Renamed when it listens, so that whoever sees the name can connect. A host's pid is the window's name.
  const file = path.join(folder, `${process.pid}`);
  server.listen(`${file}.new`, () => renameSync(`${file}.new`, `${file}.sock`));
  context.subscriptions.push({ dispose: () => server.close() });
}

async function answer(text: string): Promise<BridgeAnswer> {
  const { body, argument } = JSON.parse(text) as BridgeRequest;
  // Source of a test's own function; this extension is installed only by the test harness.
  const compiled = runInThisContext(`(${body})`, { filename: 'in-host.js' }) as (
    api: typeof vscode,
    argument: unknown,
  ) => unknown;
  return { value: await compiled(vscode, argument) };
}

function end(socket: Socket, reply: BridgeAnswer): void {
  socket.end(JSON.stringify(reply));
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
