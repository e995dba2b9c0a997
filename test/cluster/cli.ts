/** `npm run cluster -- up|down|list`: a cluster that stays until it is taken down. Progress goes to standard error. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../common/errors.ts';
import { attachBuilt } from './built.ts';
import { lock } from './cache.ts';
import type { Cluster } from './cluster.ts';
import { CannotError, clusterCapability, clusterUp } from './index.ts';
import { attachKind, kindStateDir } from './kind.ts';
import { listStates, stateDirOf } from './state.ts';
import { tearDown } from './teardown.ts';

const usage = `usage:
  npm run cluster -- up [--name NAME] [--nodes fake:N] [--context CONTEXT] [--operator] [--json]
  npm run cluster -- down [--name NAME | --all]
  npm run cluster -- list`;

const log = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const read = () =>
  parseArgs({
    allowPositionals: true,
    options: {
      name: { type: 'string', default: 'default' },
      nodes: { type: 'string' },
      context: { type: 'string' },
      operator: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });

/** What cannot be read is answered with what can. */
function given(): ReturnType<typeof read> {
  try {
    return read();
  } catch (error) {
    log(`${messageOf(error)}\n${usage}`);
    process.exit(2);
  }
}

const { positionals, values } = given();

async function up(): Promise<void> {
  await using _lock = await lock(`up ${stateDirOf(values.name)}`, () =>
    log('waiting for another start of this name'),
  );
  const cluster = (await existing()) ?? (await create());
  const operator = values.operator ? await deploy(cluster) : {};
  const {
    name,
    kubeconfig,
    kubectlPath: kubectl,
    server,
    stateDir,
    nodeHostAddress,
    provider,
    timings,
  } = cluster;
  const line = {
    kubeconfig,
    name,
    kubectl,
    stateDir,
    server,
    nodeHostAddress,
    provider,
    timings,
    ...operator,
  };
  process.stdout.write(values.json ? `${JSON.stringify(line)}\n` : `export KUBECONFIG=${kubeconfig}\n`);
}

async function existing(): Promise<Cluster | undefined> {
  if (values.context !== undefined) return undefined;
  const stateDir = stateDirOf(values.name);
  const running = (await attachKind(values.name)) ?? (await attachBuilt(stateDir));
  // What is left of a start that was killed, or of a machine that restarted, is of no use.
  if (running === undefined) await tearDown(stateDir);
  else log(`cluster ${values.name} is running already`);
  return running;
}

/** A real node where this machine can have one; else, or when told so, nodes that are only objects. */
async function create(): Promise<Cluster> {
  const fake = /^fake:(\d+)$/.exec(values.nodes ?? '')?.[1];
  if (values.nodes !== undefined && fake === undefined)
    throw new CannotError(`--nodes takes fake:N\n${usage}`);
  const common = { name: values.name, keep: true, log };
  if (values.context !== undefined) return clusterUp({ ...common, context: values.context });
  if (fake !== undefined) return clusterUp({ ...common, fakeNodes: Number(fake) });
  const { node } = await clusterCapability();
  if (node === true) return clusterUp({ ...common, node: true });
  log(`${node}. Pods will be objects on a node that kwok plays, and run nothing.`);
  return clusterUp({ ...common, fakeNodes: 1 });
}

interface Deploy {
  readonly deployOperator: (cluster: Cluster, options?: unknown) => Promise<Record<string, unknown>>;
}

async function deploy(cluster: Cluster): Promise<Record<string, unknown>> {
  const file = path.join(import.meta.dirname, '../support/deploy.ts');
  if (!existsSync(file)) throw new CannotError(`--operator needs ${file}, which is not there`);
  const { deployOperator } = (await import(file)) as Deploy;
  return deployOperator(cluster, { log, rest: true });
}

async function down(): Promise<void> {
  const names = values.all ? (await listStates()).map((state) => state.name) : [values.name];
  for (const name of names) {
    await tearDown(stateDirOf(name));
    await tearDown(kindStateDir(name));
    log(`cluster ${name} is down`);
  }
}

async function list(): Promise<void> {
  for (const state of await listStates()) {
    const what = [state.node ? 'node' : '', state.fakeNodes > 0 ? `fake:${state.fakeNodes}` : ''].filter(
      Boolean,
    );
    const owner = state.owner === undefined ? 'stays' : `ends with process ${state.owner.pid}`;
    process.stdout.write(`${state.name}\t${what.join('+')}\t${owner}\t${stateDirOf(state.name)}\n`);
  }
}

const commands: Readonly<Record<string, () => Promise<void>>> = { up, down, list };
const command = commands[positionals[0] ?? ''];
if (values.help) process.stdout.write(`${usage}\n`);
else if (command === undefined) {
  log(usage);
  process.exitCode = 2;
} else {
  try {
    await command();
  } catch (error) {
    if (!(error instanceof CannotError)) throw error;
    log(error.message);
    process.exitCode = 1;
  }
}
