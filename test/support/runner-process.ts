/** The runner as a real process, bundled as in its image, with folders of its own. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunDescription } from '../../common/api/runner.ts';
import { LINK_VARIABLE } from '../../common/api/link.ts';
import { RUN_API_VERSION, STEP_VARIABLE } from '../../common/api/runner.ts';
import { buildTargets } from '../../scripts/build.ts';
import type { RunnerEndpoint } from './runner-endpoint.ts';

const MAIN = join(import.meta.dirname, '../../dist/runner/main.mjs');
let built: Promise<void> | undefined;

export interface RunnerOptions {
  endpoint: RunnerEndpoint;
  description?: Partial<Omit<RunDescription, 'command'>>;
  env?: Record<string, string>;
  /** What starts the runner, instead of Node: an init, a tracer. */
  wrapper?: readonly string[];
  main?: string;
}

export interface RunnerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The folders of one pod, and the processes started in it. */
export class RunnerPod implements AsyncDisposable {
  readonly folder: string;
  readonly workspace: string;
  readonly artifacts: string;
  readonly temporary: string;
  readonly control: string;
  readonly terminationMessage: string;
  readonly #options: RunnerOptions;
  #child: ChildProcess | undefined;
  #end: Promise<RunnerEnd> | undefined;

  private constructor(folder: string, options: RunnerOptions) {
    this.folder = folder;
    this.workspace = join(folder, 'workspace');
    this.artifacts = join(folder, 'artifacts');
    this.temporary = join(folder, 'tmp');
    this.control = join(folder, 'ambient');
    this.terminationMessage = join(folder, 'termination-log');
    this.#options = options;
  }

  static async make(options: RunnerOptions): Promise<RunnerPod> {
    await (built ??= buildTargets(['runner']));
    const pod = new RunnerPod(await mkdtemp(join(tmpdir(), 'runner-pod-')), options);
    for (const path of [pod.workspace, pod.artifacts, pod.temporary, pod.control]) await mkdir(path);
    await writeFile(join(pod.control, 'token'), `${options.endpoint.token}\n`);
    await writeFile(pod.terminationMessage, '');
    return pod;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts the runner with a command. */
  async start(...command: string[]): Promise<void> {
    await this.#launch(command);
  }

  /** Starts it as a sidecar, with the command in another container. */
  async startBeside(link: string, ...command: string[]): Promise<void> {
    await this.#launch(command, { [LINK_VARIABLE]: link });
  }

  /** What the init container does that brings the source with credentials. */
  async bringSource(env: Record<string, string>): Promise<RunnerEnd> {
    await this.#launch(['true'], { [STEP_VARIABLE]: 'source', ...env });
    return this.ended();
  }

  async #launch(command: string[], more: Record<string, string> = {}): Promise<void> {
    const { endpoint, description, env, wrapper = [], main = MAIN } = this.#options;
    const full: RunDescription = {
      apiVersion: RUN_API_VERSION,
      session: { namespace: 'team-a', name: 's1', uid: '3f0c9b1e-0000-4000-8000-000000000001' },
      framework: { type: 'generic', version: '1', config: {} },
      env: {},
      eventFormat: 'text',
      source: { type: 'none' },
      limits: { timeoutSeconds: 120, gracePeriodSeconds: 5 },
      endpoint: { url: endpoint.url, ca: endpoint.ca },
      ...description,
      command,
    };
    await writeFile(join(this.control, 'session.json'), JSON.stringify(full));
    const [program = '', ...args] = [...wrapper, process.execPath, main];
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '',
        AMBIENT_CONTROL_DIR: this.control,
        AMBIENT_WORKSPACE: this.workspace,
        AMBIENT_ARTIFACTS: this.artifacts,
        AMBIENT_TEMPORARY: this.temporary,
        AMBIENT_TERMINATION_MESSAGE: this.terminationMessage,
        ...env,
        ...more,
      },
    });
    this.#child = child;
    const texts = Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    this.#end = (async () => {
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      const [stdout, stderr] = await texts;
      return { code, signal, stdout, stderr };
    })();
  }

  ended(): Promise<RunnerEnd> {
    if (!this.#end) throw new Error('the runner was not started');
    return this.#end;
  }

  async run(...command: string[]): Promise<RunnerEnd> {
    await this.start(...command);
    return this.ended();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async terminationResult(): Promise<unknown> {
    return JSON.parse(await readFile(this.terminationMessage, 'utf8'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await this.#end;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** At most the last 4 MiB. */
async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text = (text + chunk.toString()).slice(-4 * 1024 * 1024);
  return text;
}
