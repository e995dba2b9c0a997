/** The user's kubeconfig: its contexts, what is wrong with each, and connections to them. */
import { delimiter, join, resolve } from 'node:path';
import { AmbientError, isAmbientError } from '../errors.ts';
import { Connection } from './connection.ts';
import { checkProxy } from './dispatchers.ts';
import { credentialsOf } from './kubeconfig-credentials.ts';
import { readFiles } from './kubeconfig-file.ts';
import type { MergedFiles } from './kubeconfig-file.ts';

export { connectInCluster } from './in-cluster.ts';

export interface ContextInfo {
  name: string;
  cluster: string;
  user: string;
  namespace?: string;
  isCurrent: boolean;
  /** The file the context stands in. */
  source: string;
  /** API server, when the cluster is known. */
  server?: string;
  /** Why this context alone cannot be used. */
  problem?: AmbientError;
}

export interface ConnectOptions {
  /** Milliseconds a credential plugin may take; default 15000. */
  execTimeoutMs?: number;
  userAgent?: string;
}

export interface Kubeconfig {
  contexts: ContextInfo[];
  currentContext?: string;
  /** Of files and entries, those of contexts included. */
  problems: AmbientError[];
  /** The files looked for, in order, whether they exist or not. */
  files: string[];
  /** What stood in those that could be read, secrets included: to find out whether anything has changed. */
  texts: readonly string[];
  /**
   * Opens nothing yet, so a dead server shows at the first request. Throws AmbientError kubeconfig_invalid or not_found
   * naming the context, and KubeError CredentialsFailed when its certificates cannot be read.
   */
  connect(contextName: string, options?: ConnectOptions): Promise<Connection>;
}

export interface LoadOptions {
  env: Readonly<Record<string, string | undefined>>;
  homeDir: string;
  /** Instead of $KUBECONFIG and ~/.kube/config. */
  path?: string;
}

const EXEC_TIMEOUT_MS = 15_000;

/** Never throws for what stands in the files: that is in `problems`. */
export async function loadKubeconfig(options: LoadOptions): Promise<Kubeconfig> {
  const files = pathsOf(options);
  const merged = await readFiles(files, options.path !== undefined);
  const contexts: ContextInfo[] = [];
  for (const [name, { entry, source, ambiguous }] of merged.contexts) {
    const problem = problemOf(merged, name, ambiguous === true);
    if (problem !== undefined) merged.problems.push(problem);
    const server = merged.clusters.get(entry.cluster ?? '')?.entry.server;
    contexts.push({
      name,
      cluster: entry.cluster ?? '',
      user: entry.user ?? '',
      ...(typeof entry.namespace === 'string' && entry.namespace !== ''
        ? { namespace: entry.namespace }
        : {}),
      isCurrent: name === merged.currentContext,
      source,
      ...(server === undefined ? {} : { server }),
      ...(problem === undefined ? {} : { problem }),
    });
  }
  return {
    contexts,
    ...(merged.currentContext === undefined ? {} : { currentContext: merged.currentContext }),
    problems: merged.problems,
    files,
    texts: merged.texts,
    connect: (contextName, connectOptions = {}) =>
      connect(merged, contexts, options.env, contextName, connectOptions),
  };
}

function pathsOf({ env, homeDir, path }: LoadOptions): string[] {
  if (path !== undefined) return [resolve(path)];
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((each) => each !== '');
  // The same file twice is one file.
  if (listed.length > 0) return [...new Set(listed.map((each) => resolve(each)))];
  return [join(homeDir, '.kube', 'config')];
}

function problemOf(merged: MergedFiles, name: string, isAmbiguous: boolean): AmbientError | undefined {
  const context = merged.contexts.get(name);
  if (context === undefined) return undefined;
  const { entry, source } = context;
  const broken = (what: string) =>
    new AmbientError('kubeconfig_invalid', `context ${JSON.stringify(name)} in ${source} ${what}`, {
      details: { context: name, file: source },
    });
  if (isAmbiguous) return broken('is defined more than once, differently');
  if (entry.cluster === undefined || entry.cluster === '') return broken('names no cluster');
  const cluster = merged.clusters.get(entry.cluster);
  if (cluster === undefined)
    return broken(`names the cluster ${JSON.stringify(entry.cluster)}, which is not defined`);
  if (cluster.ambiguous === true) {
    return broken(
      `names the cluster ${JSON.stringify(entry.cluster)}, which is defined more than once, differently`,
    );
  }
  const server = typeof cluster.entry.server === 'string' ? URL.parse(cluster.entry.server) : null;
  if (server === null || !/^https?:$/.test(server.protocol)) {
    return broken(
      `names the cluster ${JSON.stringify(entry.cluster)}, whose server is not an http(s) address`,
    );
  }
  try {
    checkProxy(cluster.entry['proxy-url']);
  } catch (error) {
    if (!isAmbientError(error)) throw error;
    return broken(`cannot be used: ${error.message}`);
  }
  if (entry.user === undefined || entry.user === '') return undefined;
  const user = merged.users.get(entry.user);
  if (user === undefined) return broken(`names the user ${JSON.stringify(entry.user)}, who is not defined`);
  if (user.ambiguous === true) {
    return broken(`names the user ${JSON.stringify(entry.user)}, who is defined more than once, differently`);
  }
  return undefined;
}

async function connect(
  merged: MergedFiles,
  contexts: readonly ContextInfo[],
  env: LoadOptions['env'],
  contextName: string,
  options: ConnectOptions,
): Promise<Connection> {
  const info = contexts.find(({ name }) => name === contextName);
  if (info === undefined) {
    const known = contexts.map(({ name }) => name).join(', ');
    throw new AmbientError(
      'not_found',
      `the kubeconfig has no context ${JSON.stringify(contextName)}; it has ${known === '' ? 'none' : known}`,
    );
  }
  if (info.problem !== undefined) throw info.problem;
  const cluster = merged.clusters.get(info.cluster);
  if (cluster === undefined) throw new AmbientError('kubeconfig_invalid', `no cluster ${info.cluster}`);
  const credentials = await credentialsOf({
    clusterName: info.cluster,
    cluster,
    userName: info.user,
    user: merged.users.get(info.user) ?? { entry: {}, source: info.source },
    env,
    execTimeoutMs: options.execTimeoutMs ?? EXEC_TIMEOUT_MS,
  });
  return new Connection({
    cluster: `${info.source}#${info.name}`,
    credentials,
    ...(options.userAgent === undefined ? {} : { userAgent: options.userAgent }),
  });
}
