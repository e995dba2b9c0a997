/** A shell in a session's pod as a terminal of the editor. Brings @kubernetes/client-node along: `await import` it. */
import { PassThrough } from 'node:stream';
import { Exec, KubeConfig } from '@kubernetes/client-node';
import type { V1Status } from '@kubernetes/client-node';
import * as vscode from 'vscode';
import { AmbientError, messageOf } from '../../common/errors.ts';
import type { Connection } from '../../common/kube/connection.ts';
import type { CurrentCredentials } from '../../common/kube/credentials.ts';

const CONTAINER = 'runner';
/** bash where the image has it; HOME as the session's command sees it. */
const SHELL = ['/bin/sh', '-c', 'cd /workspace; export HOME=/tmp; exec $(command -v bash || command -v sh)'];

/** What is used of the WebSocket, whose own types are not among this project's packages. */
interface Socket {
  close(): void;
  onclose: (() => void) | null;
}

/** What the terminal prints goes through here; the WebSocket client asks it for the terminal's size. */
class Screen extends PassThrough {
  rows = 24;
  columns = 80;

  resize({ rows, columns }: vscode.TerminalDimensions): void {
    this.rows = rows;
    this.columns = columns;
    this.emit('resize');
  }
}

export class PodShell implements vscode.Pseudoterminal {
  readonly #connection: Connection;
  readonly #pod: { namespace: string; name: string };
  readonly #write = new vscode.EventEmitter<string>();
  readonly #closed = new vscode.EventEmitter<number | void>();
  readonly #screen = new Screen();
  readonly #keys = new PassThrough();
  readonly #abort = new AbortController();
  #close: (() => void) | undefined;
  readonly onDidWrite = this.#write.event;
  readonly onDidClose = this.#closed.event;

  constructor(connection: Connection, pod: { namespace: string; name: string }) {
    this.#connection = connection;
    this.#pod = pod;
    this.#screen.setEncoding('utf8').on('data', (text: string) => this.#write.fire(text));
  }

  open(size: vscode.TerminalDimensions | undefined): void {
    if (size !== undefined) this.#screen.resize(size);
    this.#start().catch((error: unknown) => this.#end(`The shell could not be opened: ${messageOf(error)}`));
  }

  setDimensions(size: vscode.TerminalDimensions): void {
    this.#screen.resize(size);
  }

  handleInput(text: string): void {
    this.#keys.write(text);
  }

  close(): void {
    this.#abort.abort();
    this.#keys.end();
    this.#close?.();
  }

  async #start(): Promise<void> {
    const credentials = await this.#connection.currentCredentials(this.#abort.signal);
    const exec = new Exec(kubeConfigOf(credentials));
    const { namespace, name } = this.#pod;
    const ended = ({ status, message }: V1Status): void =>
      this.#end(status === 'Success' ? undefined : `The shell ended: ${message ?? 'no reason given'}`);
    const socket = (await exec.exec(
      namespace,
      name,
      CONTAINER,
      SHELL,
      this.#screen,
      null,
      this.#keys,
      true,
      ended,
    )) as unknown as Socket;
    this.#close = () => socket.close();
    socket.onclose = () => this.#end();
    if (this.#abort.signal.aborted) socket.close();
  }

  /** Without a text the terminal closes; with one it stays, so that the text can be read. */
  #end(text?: string): void {
    if (text === undefined) this.#closed.fire();
    else this.#write.fire(`\r\n${text.replace(/[\r\n]+/g, '\r\n')}\r\n`);
  }
}

function kubeConfigOf({ server, tls, authorization, proxy }: CurrentCredentials): KubeConfig {
  const [scheme, value = ''] = authorization?.split(' ', 2) ?? [];
  if (authorization !== undefined && scheme !== 'Bearer')
    throw new AmbientError('credentials_failed', 'a shell needs a token or a client certificate');
  const name = 'session';
  const base64 = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : Buffer.from(text).toString('base64');
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [
      {
        name,
        server,
        skipTLSVerify: tls.insecure === true,
        ...(tls.ca === undefined ? {} : { caData: base64(tls.ca) }),
        ...(tls.serverName === undefined ? {} : { tlsServerName: tls.serverName }),
        ...(proxy === undefined ? {} : { proxyUrl: proxy }),
      },
    ],
    users: [{ name, token: value || undefined, certData: base64(tls.cert), keyData: base64(tls.key) }],
    contexts: [{ name, cluster: name, user: name }],
    currentContext: name,
  });
  return config;
}
