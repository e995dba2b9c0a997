/**
 * Credential plugins of a kubeconfig (client.authentication.k8s.io): run without blocking, ended when they hang, and
 * asked again only when what they gave has expired or was refused.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { messageOf } from '../errors.ts';
import { abortable } from './abortable.ts';
import type { ClientCertificate } from './credentials.ts';
import { errorCode, KubeError } from './errors.ts';

export interface ExecConfig {
  apiVersion?: string;
  command?: string;
  args?: string[] | null;
  env?: { name: string; value: string }[] | null;
  installHint?: string;
  provideClusterInfo?: boolean;
  interactiveMode?: 'Never' | 'IfAvailable' | 'Always';
}

export interface ExecPluginOptions {
  config: ExecConfig;
  /** For messages: user and file. */
  owner: string;
  env: Readonly<Record<string, string | undefined>>;
  timeoutMs: number;
  /** What the plugin learns of the cluster when its configuration asks for it. */
  clusterInfo?: object;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

interface Credential {
  token?: string;
  certificate?: ClientCertificate;
  /** Milliseconds since the epoch; absent: good until refused. */
  expires?: number;
}

export const EXEC_API_VERSIONS: readonly string[] = [
  'client.authentication.k8s.io/v1',
  'client.authentication.k8s.io/v1beta1',
];

/** A credential this close to its end would expire on the way. */
const LEEWAY_MS = 5_000;
/** Every watch of a cluster asks at once; one failure answers them all for so long. */
const FAILURE_MS = 5_000;
/** A plugin may open a browser: refusals run it again at most this often. */
const RENEWAL_INTERVAL_MS = 30_000;
/** Between asking a plugin to end and killing it. */
const GRACE_MS = 1_000;
const STDOUT_MAX = 1024 * 1024;
/** Characters of a plugin's stderr that are shown, from its end. */
const STDERR_SHOWN = 2_000;

export class ExecPlugin {
  readonly #options: ExecPluginOptions;
  readonly #now: () => number;
  readonly #closing = new AbortController();
  #credential: Credential | undefined;
  #failure: { error: KubeError; at: number } | undefined;
  #running: Promise<Credential> | undefined;
  #renewedAt = -Infinity;

  constructor(options: ExecPluginOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Throws KubeError CredentialsFailed. The signal ends the wait, not the plugin, which others may wait for. */
  async authorization(signal: AbortSignal): Promise<string | undefined> {
    const { token } = await this.#current(signal);
    return token === undefined ? undefined : `Bearer ${token}`;
  }

  /** Throws KubeError CredentialsFailed. */
  async certificate(signal: AbortSignal): Promise<ClientCertificate | undefined> {
    return (await this.#current(signal)).certificate;
  }

  /** The server refused `used`. True when asking again may give something else. */
  invalidate(used: string | undefined): boolean {
    const { token } = this.#credential ?? {};
    if ((token === undefined ? undefined : `Bearer ${token}`) !== used) return true;
    if (this.#now() - this.#renewedAt < RENEWAL_INTERVAL_MS) return false;
    this.#renewedAt = this.#now();
    this.#credential = undefined;
    return true;
  }

  /** Ends a plugin that runs. */
  close(): void {
    this.#closing.abort(new KubeError('the connection was closed', { status: 0, reason: 'Closed' }));
  }

  async #current(signal: AbortSignal): Promise<Credential> {
    const known = this.#credential;
    if (known !== undefined && (known.expires === undefined || known.expires - LEEWAY_MS > this.#now()))
      return known;
    if (this.#failure !== undefined && this.#now() - this.#failure.at < FAILURE_MS) throw this.#failure.error;
    this.#running ??= this.#obtain().finally(() => (this.#running = undefined));
    return await abortable(this.#running, signal);
  }

  async #obtain(): Promise<Credential> {
    try {
      const credential = this.#parse(await this.#run());
      this.#failure = undefined;
      this.#credential = credential;
      return credential;
    } catch (error) {
      const failure =
        error instanceof KubeError
          ? error
          : this.#failed(`cannot be run: ${messageOf(error)}`, undefined, error);
      this.#failure = { error: failure, at: this.#now() };
      throw failure;
    }
  }

  async #run(): Promise<string> {
    const { config, env, timeoutMs } = this.#options;
    const { command, args, interactiveMode } = config;
    if (command === undefined || command === '') throw this.#failed('has no command');
    if (!EXEC_API_VERSIONS.includes(config.apiVersion ?? '')) {
      throw this.#failed(
        `asks for apiVersion ${JSON.stringify(config.apiVersion ?? '')}; known are ${EXEC_API_VERSIONS.join(' and ')}`,
        'Update the plugin and the exec section of the kubeconfig.',
      );
    }
    if (interactiveMode === 'Always') {
      throw this.#failed(
        'has interactiveMode Always, and there is no terminal here',
        'Set interactiveMode to IfAvailable, and sign in once from a terminal.',
      );
    }
    this.#closing.signal.throwIfAborted();
    const variables: Record<string, string | undefined> = { ...env };
    for (const { name, value } of config.env ?? []) variables[name] = value;
    variables['KUBERNETES_EXEC_INFO'] = JSON.stringify({
      apiVersion: config.apiVersion,
      kind: 'ExecCredential',
      spec: {
        interactive: false,
        ...(config.provideClusterInfo === true ? { cluster: this.#options.clusterInfo ?? {} } : {}),
      },
    });
    const child = spawn(command, args ?? [], {
      env: variables,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Its own process group, so that what it started can be ended with it.
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const output = { stdout: '', stderr: '' };
    const stop = (error: KubeError) => {
      end(child);
      reject(error);
    };
    const timer = setTimeout(() => {
      const said = lastLines(output.stderr);
      stop(this.#failed(`did not finish within ${timeoutMs / 1000} s and was stopped${said}`));
    }, timeoutMs);
    const onClosing = () => stop(this.#closing.signal.reason as KubeError);
    this.#closing.signal.addEventListener('abort', onClosing, { once: true });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
      if (output.stdout.length > STDOUT_MAX) stop(this.#failed(`printed more than ${STDOUT_MAX} characters`));
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr = (output.stderr + text).slice(-2 * STDERR_SHOWN);
    });
    child.on('error', (error) => {
      const isMissing = errorCode(error) === 'ENOENT';
      reject(
        this.#failed(
          isMissing ? 'is not installed, or not on PATH' : `cannot be run: ${error.message}`,
          undefined,
          error,
        ),
      );
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output.stdout);
      else reject(this.#failed(`ended with ${signal ?? `exit code ${code}`}${lastLines(output.stderr)}`));
    });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#closing.signal.removeEventListener('abort', onClosing);
    }
  }

  #parse(stdout: string): Credential {
    let parsed: unknown;
    try {
      parsed = JSON.parse(stdout);
    } catch (error) {
      // What it printed may hold a secret, so it is not repeated.
      throw this.#failed('did not print JSON', undefined, error);
    }
    const { kind, status } = (parsed ?? {}) as { kind?: unknown; status?: Record<string, unknown> | null };
    if (kind !== 'ExecCredential') throw this.#failed('did not print an ExecCredential');
    const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status ?? {};
    const credential: Credential = {};
    if (typeof token === 'string' && token !== '') credential.token = token;
    if (typeof cert === 'string' && typeof key === 'string' && cert !== '' && key !== '') {
      credential.certificate = { cert, key };
    }
    if (credential.token === undefined && credential.certificate === undefined) {
      throw this.#failed('printed neither a token nor a client certificate with its key');
    }
    if (typeof expirationTimestamp === 'string') {
      const expires = Date.parse(expirationTimestamp);
      if (Number.isNaN(expires)) throw this.#failed('printed an expirationTimestamp that is no time');
      credential.expires = expires;
    }
    return credential;
  }

  #failed(what: string, remedy?: string, cause?: unknown): KubeError {
    const { config, owner } = this.#options;
    const line = [config.command ?? '', ...(config.args ?? [])].join(' ');
    const hint = config.installHint?.trim();
    return new KubeError(
      `the credential plugin ${JSON.stringify(config.command ?? '')} of ${owner} ${what}`,
      {
        status: 0,
        reason: 'CredentialsFailed',
        remedy:
          remedy ??
          (hint === undefined || hint === '' ? `Run it in a terminal to see what it wants: ${line}` : hint),
        cause,
      },
    );
  }
}

function lastLines(stderr: string): string {
  const text = stderr.trim();
  if (text === '') return '';
  return `; it said: ${text.length > STDERR_SHOWN ? `…${text.slice(-STDERR_SHOWN)}` : text}`;
}

/** Asks the plugin and what it started to end, then makes them; lets go of its pipes, which a grandchild may keep. */
function end(child: ChildProcess): void {
  signalGroup(child, 'SIGTERM');
  const killer = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS);
  child.once('exit', () => {
    clearTimeout(killer);
    // The leader is gone, but perhaps not all of its group.
    signalGroup(child, 'SIGKILL');
  });
  child.stdout?.destroy();
  child.stderr?.destroy();
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') child.kill(signal);
  }
}
