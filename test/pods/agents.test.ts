/** Real agents in real pods, with a stand-in for their providers on this machine. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Framework, FrameworkSpec } from '../../common/api/framework.ts';
import { API_VERSION, OPERATOR_NAME, OPERATOR_NAMESPACE, POLICY_NAME } from '../../common/api/names.ts';
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { livePaths } from '../../common/api/live.ts';
import type { LogRecord } from '../../common/api/log.ts';
import type { Session } from '../../common/api/session.ts';
import { frameworks, namespacePolicies, secrets } from '../../common/kube/resource.ts';
import { FRAMEWORK_IMAGES } from '../../scripts/framework-programs.ts';
import type { FrameworkImage } from '../../scripts/framework-programs.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { applyFrameworks, loadAgentImages, loadImages, manifests } from '../support/deploy.ts';
import { documentedFramework, loadDocumentedImage } from '../support/documented-framework.ts';
import { aSession } from '../support/fixtures.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { Provider } from '../support/provider/provider.ts';
import type { Answer } from '../support/provider/script.ts';
import { aCommand, artifactText, artifactsOf, endOf, finished, launch } from '../support/sessions.ts';
import { skipBecause } from '../support/skip.ts';

/** The operator adds statements of its own. */
const isMade = (path: string): boolean => !path.startsWith('.ambient/');

describe('a real agent in a real pod', function () {
  this.timeout(180_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let provider: Provider;
  let namespace: string;
  let answers: Answer[] = [];
  const made: string[] = [];
  let count = 0;

  before(async function () {
    this.timeout(600_000);
    cluster = await testCluster(this, { node: true });
    const log = (line: string): void => console.log(`      ${line}`);
    const [runnerImage] = await loadImages(cluster, ['runner'], log);
    const images = await loadAgentImages(cluster, FRAMEWORK_IMAGES, log);
    await applyFrameworks(cluster, runnerImage, images);
    provider = await Provider.start({
      host: cluster.nodeHostAddress,
      answer: () => answers.shift() ?? { text: 'That was all.', tokens: { input: 1, output: 1 } },
    });
    for (const name of FRAMEWORK_IMAGES) await direct(name, images[`ambient-${name}:0.1.0`] ?? '');
    operator = await runOperatorProcess(cluster, {
      flags: { 'models-allow': `${cluster.nodeHostAddress}/32`, 'models-http': true },
    });
    await liveApiAvailable(cluster);
    namespace = await cluster.restrictedNamespace('agents');
  });

  after(async function () {
    this.timeout(60_000);
    await Promise.all(made.map((name) => cluster.client.delete(frameworks, { name })));
    await operator?.[Symbol.asyncDispose]();
    await provider?.[Symbol.asyncDispose]();
  });

  /** The repository's own, but that its models are not behind the gateway: the stand-in is asked by the pod itself. */
  async function direct(name: FrameworkImage, image: string): Promise<void> {
    const { spec } = parse(
      await readFile(join(manifests, 'frameworks', `${name}.yaml`), 'utf8'),
    ) as Framework;
    const { models = [], versions, ...rest } = spec;
    const address = `http://${cluster.nodeHostAddress}:${provider.port}`;
    const env = models.map(({ baseUrlEnv, path = '' }) => ({ name: baseUrlEnv, value: `${address}${path}` }));
    const keys = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY'].map((key) => ({ name: key, value: 'no-secret' }));
    const changed: FrameworkSpec = {
      ...rest,
      versions: versions.map((version) => ({ ...version, image })),
      env: [...(rest.env ?? []), ...env, ...keys],
    };
    await register(`direct-${name}`, changed);
  }

  async function register(name: string, spec: FrameworkSpec): Promise<void> {
    made.push(name);
    await cluster.client.delete(frameworks, { name }).catch(() => undefined);
    await cluster.client.create(frameworks, {
      apiVersion: API_VERSION,
      kind: 'Framework',
      metadata: { name },
      spec,
    });
  }

  async function run(
    framework: string,
    script: Answer[],
    more: Partial<Session['spec']> = {},
  ): Promise<Session> {
    answers = script;
    provider.asked.length = 0;
    const session = await launch(
      cluster.client,
      aSession(`${framework}-${++count}`)
        .in(namespace)
        .of(framework, { prompt: 'Make the file.', ...more.framework?.config })
        .spec({
          ...(more.policy === undefined ? {} : { policy: more.policy }),
          limits: { timeoutSeconds: 120, gracePeriodSeconds: 2, ...more.limits },
        }),
    );
    return await finished(cluster.client, session, 120_000);
  }

  async function recordsOf({ metadata }: Session): Promise<LogRecord[]> {
    const path = livePaths.log(metadata.namespace ?? '', metadata.name, { format: 'events' });
    const { body } = await cluster.client.connection.stream(path);
    let text = '';
    for await (const chunk of body) text += String(chunk);
    const lines = text.split('\n').filter((line) => line.startsWith('{"seq"'));
    return lines.map((line) => JSON.parse(line) as LogRecord);
  }

  const tokens = (records: readonly LogRecord[], kind: string): number =>
    records
      .filter(({ type }) => type === 'usage')
      .reduce((sum, { data }) => sum + Number(data?.[kind] ?? 0), 0);

  it('Claude Code makes its changes, and every token is told', async () => {
    const session = await run('direct-claude-code', [
      {
        thinking: 'A file.',
        text: 'I write it.',
        tools: [{ name: 'Write', input: { file_path: '/workspace/a.txt', content: 'made by an agent\n' } }],
        tokens: { input: 1000, output: 200, cacheRead: 30, cacheWrite: 40, thinking: 5 },
      },
      {
        tools: [{ name: 'Bash', input: { command: 'cp a.txt /artifacts/b.txt' } }],
        tokens: { input: 11, output: 21 },
      },
      { text: 'Done.', tokens: { input: 12, output: 22 } },
    ]);
    assert.equal(endOf(session), 'Completed/Succeeded', session.status?.message);
    const paths = (await artifactsOf(cluster.client, session)).map(({ path }) => path);
    assert.deepEqual(paths.filter(isMade).sort(), ['b.txt', 'changes.patch']);
    const records = await recordsOf(session);
    const types = new Set(records.map(({ type }) => type));
    for (const type of ['assistant', 'thinking', 'tool-call', 'tool-result', 'file-change', 'usage'] as const)
      assert.ok(types.has(type), type);
    assert.deepEqual(
      ['inputTokens', 'outputTokens', 'cacheReadTokens', 'cacheWriteTokens'].map((kind) =>
        tokens(records, kind),
      ),
      [1023, 248, 30, 40],
    );
    // Without a gateway the agent's own reckoning is what there is.
    assert.ok(Number(session.status?.cost?.total) > 0);
  });

  it('Codex makes its changes, and every token is told', async () => {
    const session = await run('direct-codex', [
      {
        thinking: 'A file.',
        tools: [
          {
            name: 'apply_patch',
            input: {},
            freeform: '*** Begin Patch\n*** Add File: a.txt\n+made by an agent\n*** End Patch\n',
          },
        ],
        tokens: { input: 1000, output: 200, cacheRead: 30, thinking: 5 },
      },
      {
        tools: [{ name: 'exec_command', input: { cmd: 'cp a.txt /artifacts/b.txt' } }],
        tokens: { input: 11, output: 21 },
      },
      { text: 'Done.', tokens: { input: 12, output: 22 } },
    ]);
    assert.equal(endOf(session), 'Completed/Succeeded', session.status?.message);
    const paths = (await artifactsOf(cluster.client, session)).map(({ path }) => path);
    assert.deepEqual(paths.filter(isMade).sort(), ['b.txt', 'changes.patch']);
    const records = await recordsOf(session);
    assert.deepEqual(
      ['inputTokens', 'outputTokens', 'cacheReadTokens', 'thinkingTokens'].map((kind) =>
        tokens(records, kind),
      ),
      [1023, 248, 30, 5],
    );
  });

  describe('that goes wrong', () => {
    const tokens = { input: 10, output: 10 };
    type Call = NonNullable<Answer['tools']>[number];
    /** How each asks for a file to be written, and for a command to be run. */
    interface Agent {
      framework: string;
      write: Call;
      run: (command: string) => Call;
    }
    const claudeCode: Agent = {
      framework: 'direct-claude-code',
      write: { name: 'Write', input: { file_path: '/workspace/a.txt', content: 'made before\n' } },
      run: (command) => ({ name: 'Bash', input: { command } }),
    };
    const codex: Agent = {
      framework: 'direct-codex',
      write: {
        name: 'apply_patch',
        input: {},
        freeform: '*** Begin Patch\n*** Add File: a.txt\n+made before\n*** End Patch\n',
      },
      run: (cmd) => ({ name: 'exec_command', input: { cmd } }),
    };
    const runCommands = (
      { framework, write, run: asCall }: Agent,
      commands: string[],
      limits?: Session['spec']['limits'],
    ): Promise<Session> =>
      run(
        framework,
        [write, ...commands.map(asCall)].map((tool) => ({ tools: [tool], tokens })),
        limits && { limits },
      );

    /** What it had done by then is kept, in the log and as a patch. */
    async function keptOf(session: Session): Promise<LogRecord[]> {
      assert.match(await artifactText(cluster.client, session, 'changes.patch'), /\+made before/);
      const records = await recordsOf(session);
      assert.ok(
        records.some(({ type, text }) => type === 'file-change' && text === 'a.txt'),
        'the change is in the log',
      );
      return records;
    }

    for (const agent of [claudeCode, codex]) {
      it(`${agent.framework} is told as killed when it is killed, whatever its tools have printed`, async () => {
        const last = JSON.stringify({ type: 'result', subtype: 'success', num_turns: 1 });
        const print = `head -c 300000 /dev/urandom; printf '\\033[2J\\033]0;x\\007\\n'; echo '${last}'`;
        const session = await runCommands(agent, [print, 'kill -KILL $PPID']);
        assert.equal(endOf(session), 'Failed/CommandFailed');
        assert.match(session.status?.message ?? '', /killed by SIGKILL/);
        assert.equal(session.status?.workload?.exitCode, 137);
        const records = await keptOf(session);
        assert.ok(
          !records.some(({ text }) => text?.startsWith('done after')),
          'it has not said that it is done',
        );
        assert.match(records.findLast(({ name }) => name === 'exit')?.text ?? '', /killed by SIGKILL after/);
      });

      it(`${agent.framework} hangs and forks without end, and ends at its time limit with all that it started`, async function () {
        if (cluster.provider !== 'built')
          skipBecause(
            this,
            'whether the kubelet limits the processes of a pod is only known of the node built here',
          );
        const session = await runCommands(agent, ["trap '' TERM; :(){ :|:& };:; sleep 600"], {
          timeoutSeconds: 8,
          gracePeriodSeconds: 1,
          cpu: '1',
        });
        assert.equal(endOf(session), 'Failed/DeadlineExceeded', session.status?.message);
        const records = await keptOf(session);
        assert.ok(
          records.some(({ text }) => text === 'ended processes that the command had left running'),
          'what it left is ended',
        );
      });
    }

    it('fills its disk, and is evicted with the reason', async () => {
      const session = await runCommands(claudeCode, ['head -c 200000000 /dev/zero > big; sleep 600'], {
        timeoutSeconds: 110,
        gracePeriodSeconds: 1,
        storage: '100Mi',
      });
      assert.equal(endOf(session), 'Failed/Evicted', session.status?.message);
      assert.match(session.status?.message ?? '', /"workspace" exceeds the limit "100Mi"\. Raise the limits/);
      await keptOf(session);
    });

    it('prints what is none of its events: all of it is output, and the operator holds none of it', async () => {
      const residentBytes = async (): Promise<number> =>
        Number(/^process_resident_memory_bytes (\S+)$/m.exec(await operator.metrics())?.[1]);
      const before = await residentBytes();
      const { spec } = await cluster.client.get(frameworks, { name: 'generic' });
      const fake = [
        { seq: 1, time: '2020-01-01T00:00:00Z', type: 'status', name: 'exit', text: 'exit code 0' },
        { type: 'user', text: 'said by nobody' },
      ];
      const formats = [
        ['claude-stream-json', 100_000_000],
        ['codex-json', 1_000_000],
      ] as const;
      for (const [eventFormat, bytes] of formats) {
        const command = [
          'head -c 1000000 /dev/urandom; echo; printf "\\033[2J\\xff\\xfe\\n"',
          ...fake.map((record) => `echo '${JSON.stringify(record)}'`),
          `head -c ${bytes} /dev/zero | tr '\\0' '{'; echo; echo the end; exit 3`,
        ].join('; ');
        const framework = `garbage-${eventFormat}`;
        await register(framework, { ...spec, eventFormat });
        const session = await finished(
          cluster.client,
          await launch(cluster.client, aCommand(namespace, command, framework).of(framework, { command })),
          60_000,
        );
        assert.equal(endOf(session), 'Failed/CommandFailed', session.status?.message);
        assert.equal(session.status?.workload?.exitCode, 3);
        const { metadata } = session;
        const path = livePaths.log(metadata.namespace ?? '', metadata.name, { format: 'text' });
        const { body } = await cluster.client.connection.stream(path);
        let [size, tail] = [0, ''];
        for await (const chunk of body) {
          size += (chunk as Buffer).length;
          tail = `${tail}${String(chunk)}`.slice(-1000);
        }
        assert.ok(size > bytes, `${size} bytes`);
        assert.match(tail, /the end[\s\S]*exit code 3/);
      }
      const more = (await residentBytes()) - before;
      assert.ok(more < 150_000_000, `${more} bytes more`);
    });
  });

  describe('behind the gateway', () => {
    before(async () => {
      await cluster.client.create(secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'model-keys', namespace },
        stringData: { key: 'the-key-of-the-tenant' },
      } as never);
      const inNamespace = ['-n', namespace];
      await cluster.kubectl([
        ...['create', 'role', 'model-keys', ...inNamespace],
        ...['--verb=get', '--resource=secrets', '--resource-name=model-keys'],
      ]);
      await cluster.kubectl([
        ...['create', 'rolebinding', 'model-keys', ...inNamespace, '--role=model-keys'],
        `--serviceaccount=${OPERATOR_NAMESPACE}:${OPERATOR_NAME}`,
      ]);
      const keySecret = { name: 'model-keys', key: 'key' };
      const baseUrl = `http://${cluster.nodeHostAddress}:${provider.port}`;
      await cluster.client.create<NamespacePolicy>(namespacePolicies, {
        apiVersion: API_VERSION,
        kind: 'NamespacePolicy',
        metadata: { name: POLICY_NAME, namespace },
        spec: {
          models: {
            allowed: ['claude-sonnet-4-5', 'gpt-5.5'],
            budget: { monthly: '1000.00', perSession: '100.00' },
            providers: (['anthropic', 'openai'] as const).map((name) => ({ name, baseUrl, keySecret })),
          },
        },
      });
    });

    it('Claude Code works with a key that opens nothing else, and costs what its tokens cost', async () => {
      const knock = [
        'const { AMBIENT_MODELS_TOKEN_FILE: file, ANTHROPIC_BASE_URL: url } = process.env;',
        'const authorization = "Bearer " + require("fs").readFileSync(file, "utf8").trim();',
        'fetch(new URL("/runner/v1/control", url), { headers: { authorization } })',
        '.then(({ status }) => console.log(status));',
      ].join(' ');
      const session = await run('claude-code', [
        {
          text: 'I write it.',
          tools: [
            { name: 'Write', input: { file_path: '/workspace/a.txt', content: 'made by an agent\n' } },
            {
              name: 'Bash',
              input: { command: `node -e '${knock}' > /artifacts/door.txt` },
            },
          ],
          tokens: { input: 1000, output: 200, cacheRead: 120, cacheWrite: 40, thinking: 30 },
        },
        { text: 'Done.', tokens: { input: 12, output: 22 } },
      ]);
      assert.equal(endOf(session), 'Completed/Succeeded', session.status?.message);
      assert.deepEqual([...new Set(provider.asked.map(({ key }) => key))], ['the-key-of-the-tenant']);
      // 1012 × 3, 120 × 0.30, 40 × 3.75 and 252 × 15 dollars a million.
      assert.equal(session.status?.cost?.total, '0.007002');
      assert.deepEqual(await artifactText(cluster.client, session, 'door.txt'), '401\n');
      assert.match(await artifactText(cluster.client, session, 'changes.patch'), /\+made by an agent/);
    });

    it('Codex too', async () => {
      const session = await run('codex', [
        {
          tools: [{ name: 'exec_command', input: { cmd: 'echo made by an agent > a.txt' } }],
          tokens: { input: 1000, output: 200, cacheRead: 120, thinking: 30 },
        },
        { text: 'Done.', tokens: { input: 12, output: 22 } },
      ]);
      assert.equal(endOf(session), 'Completed/Succeeded', session.status?.message);
      assert.deepEqual([...new Set(provider.asked.map(({ key }) => key))], ['the-key-of-the-tenant']);
      // 1012 × 5, 120 × 0.50 and 252 × 30 dollars a million.
      assert.equal(session.status?.cost?.total, '0.01268');
      assert.match(await artifactText(cluster.client, session, 'changes.patch'), /\+made by an agent/);
    });

    it('and the framework that the documentation makes, as it stands there', async () => {
      const example = await documentedFramework();
      const image = await loadDocumentedImage(cluster, example, (line) => console.log(`      ${line}`));
      const { spec } = example.framework;
      await register('explain', { ...spec, versions: spec.versions.map((each) => ({ ...each, image })) });
      answers = [{ text: 'It asks a model.', tokens: { input: 1000, output: 200 } }];
      provider.asked.length = 0;
      const config = { file: '/agent/explain.mjs', model: 'claude-sonnet-4-5' };
      const session = await finished(
        cluster.client,
        await launch(cluster.client, aSession('explain').in(namespace).of('explain', config)),
        60_000,
      );
      assert.equal(endOf(session), 'Completed/Succeeded', session.status?.message);
      assert.equal(await artifactText(cluster.client, session, 'explanation.md'), 'It asks a model.\n');
      assert.deepEqual(
        provider.asked.map(({ key, model }) => [key, model]),
        [['the-key-of-the-tenant', 'claude-sonnet-4-5']],
      );
      // 1000 × 3 and 200 × 15 dollars a million: what it tells of itself does not count.
      assert.equal(session.status?.cost?.total, '0.006');
      const said = (await recordsOf(session)).filter(({ type }) => type === 'assistant');
      assert.deepEqual(
        said.map(({ text }) => text),
        ['It asks a model.'],
      );
    });

    it('a tool that policy blocks is not offered, so that the gateway has nothing to refuse', async () => {
      const session = await run(
        'claude-code',
        [
          { tools: [{ name: 'Bash', input: { command: 'touch no.txt' } }], tokens: { input: 1, output: 1 } },
          { text: 'I could not.', tokens: { input: 1, output: 1 } },
        ],
        { policy: { toolConstraints: { blocked: ['Bash'] } } },
      );
      assert.equal(endOf(session), 'Completed/Succeeded', session.status?.message);
      assert.ok(!provider.asked.some(({ tools }) => tools.includes('Bash')));
      const paths = (await artifactsOf(cluster.client, session)).map(({ path }) => path);
      assert.deepEqual(paths.filter(isMade), []);
    });

    it('a session whose money does not suffice for a call ends, and the provider is not asked', async () => {
      const session = await run('codex', [], { policy: { modelConstraints: { budget: '0.01' } } });
      assert.equal(endOf(session), 'Failed/BudgetExceeded', session.status?.message);
      assert.deepEqual(provider.asked, []);
    });
  });
});
