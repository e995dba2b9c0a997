/** The UI test's end of the bridge into the extension host. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { build } from 'esbuild';
import type * as vscode from 'vscode';
import type { BridgeAnswer, BridgeRequest } from './protocol.ts';

export type VscodeApi = typeof vscode;
/** Travels as source text: it sees its two arguments and globals, nothing of the test around it. */
export type InHostFunction<T, A> = (api: VscodeApi, argument: A) => T | PromiseLike<T>;

export const BRIDGE_ID = 'ambient-test.bridge';

/** Writes the bridge as an unpacked extension into `folder`. */
export async function writeBridgeExtension(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const [publisher, name] = BRIDGE_ID.split('.');
  const manifest = {
    name,
    publisher,
    version: '0.0.1',
    engines: { vscode: '^1.90.0' },
    main: './extension.cjs',
    activationEvents: ['*'],
    extensionKind: ['workspace'],
    capabilities: { untrustedWorkspaces: { supported: true }, virtualWorkspaces: true },
  };
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest));
  await build({
    entryPoints: [path.join(import.meta.dirname, 'extension.ts')],
    outfile: path.join(folder, 'extension.cjs'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
    logLevel: 'silent',
  });
}

/** The sockets of the extension hosts that are up, or were. */
export async function bridgeSockets(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith('.sock')).map((name) => path.join(folder, name));
}

/**
 * Runs `body` in the extension host behind `socketFile` and returns its value, which must survive JSON.
 * Throws what it threw, with the stack of the extension host.
 */
export async function callBridge<T, A>(
  socketFile: string,
  body: InHostFunction<T, A>,
  argument: A,
  timeoutMs: number,
): Promise<T> {
  const request: BridgeRequest = { body: body.toString(), argument };
  const answer = JSON.parse(await exchange(socketFile, JSON.stringify(request), timeoutMs)) as BridgeAnswer;
  if ('error' in answer) throw new Error(`in the extension host: ${answer.error}`);
  return answer.value as T;
}

function exchange(socketFile: string, request: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(socketFile, () => socket.end(request));
    const timer = setTimeout(
      () => socket.destroy(new Error(`no answer from the extension host within ${timeoutMs} ms`)),
      timeoutMs,
    );
    socket
      .setEncoding('utf8')
      .on('data', (part: string) => (text += part))
      .on('error', reject)
      .on('close', () => {
        clearTimeout(timer);
        if (text === '') reject(new Error('the extension host ended without an answer'));
        else resolve(text);
      });
  });
}
