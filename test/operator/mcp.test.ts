/** The MCP server as a process of its own, against a real API server, with a user's own kubeconfig and rights. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import { sessions } from '../../common/kube/resource.ts';
import { buildTargets } from '../../scripts/build.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { aSession } from '../support/fixtures.ts';

const MAIN = path.join(import.meta.dirname, '../../dist/mcp/main.mjs');

interface Answer {
  result?: { content?: { text: string }[]; isError?: boolean; tools?: { name: string }[] };
  error?: { message: string };
}

/** A client, as small as can be. */
class Client implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;

  constructor(kubeconfig: string) {
    this.#child = spawn(process.execPath, [MAIN], {
      env: { PATH: process.env['PATH'], KUBECONFIG: kubeconfig },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    assert.ok(stdout);
    createInterface({ input: stdout }).on('line', (line) => {
      const answer = JSON.parse(line) as Answer & { id: number };
      this.#waiting.get(answer.id)?.(answer);
    });
  }

  async ask(method: string, params: object = {}): Promise<Answer> {
    const id = ++this.#asked;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    return await answer;
  }

  async call(name: string, input: object = {}): Promise<string> {
    const { result, error } = await this.ask('tools/call', { name, arguments: input });
    assert.equal(error, undefined);
    return `${result?.isError === true ? 'error: ' : ''}${result?.content?.[0]?.text ?? ''}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    assert.deepEqual(await ended, [0, null]);
  }
}

describe('the MCP server', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let namespace: string;
  let folder: string;

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this);
    namespace = await cluster.namespace('mcp');
    folder = await mkdtemp(path.join(tmpdir(), 'ambient-mcp-'));
    await buildTargets(['mcp']);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('lists and launches sessions of the current context, and says what cannot be had', async () => {
    const object = aSession('there-already').in(namespace).spec({ displayName: 'An older one' }).toCreate();
    await cluster.client.create(sessions, object);
    await using client = new Client(cluster.kubeconfig);
    await client.ask('initialize', { protocolVersion: '2025-06-18', capabilities: {} });
    const { result } = await client.ask('tools/list');
    assert.ok(result?.tools?.some(({ name }) => name === 'ambient_launch_session'));
    assert.match(await client.call('ambient_list_sessions', { namespace }), /An older one/);
    const said = await client.call('ambient_launch_session', {
      namespace,
      framework: 'generic',
      config: { command: 'true' },
      displayName: 'By a model',
    });
    const name = /Launched session (\S+)/.exec(said)?.[1] ?? '';
    const made = await cluster.client.get(sessions, { namespace, name });
    assert.deepEqual(
      [made.spec.displayName, made.spec.framework.config],
      ['By a model', { command: 'true' }],
    );
    assert.match(await client.call('ambient_list_sessions', { namespace: 'nowhere' }), /no sessions/);
    assert.match(await client.call('ambient_read_session_log', { namespace, session: name }), /^error: /);
    assert.match(await client.call('ambient_list_sessions', { cluster: 'none' }), /^error: .*none/);
  });

  it('may what its user may, and no more', async () => {
    const config = parse(await readFile(cluster.kubeconfig, 'utf8')) as {
      users: { user: Record<string, unknown> }[];
    };
    for (const { user } of config.users) user['as'] = 'nobody-in-particular';
    const limited = path.join(folder, 'limited');
    await writeFile(limited, stringify(config));
    await using client = new Client(limited);
    for (const [tool, input] of [
      ['ambient_list_sessions', { namespace }],
      ['ambient_launch_session', { namespace, framework: 'generic' }],
    ] as const)
      assert.match(await client.call(tool, input), /^error: .*forbidden.*nobody-in-particular/i);
  });
});
