/** What npm test runs, in which order and beside what, and what each suite needs to be ready first. */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ensureBinaries } from './cluster/binaries.ts';
import { s3Capability } from './cluster/capability.ts';
import { attachCluster, clusterCapability, clusterUp } from './cluster/index.ts';
import { findChromium } from './vscode/chromium.ts';
import { installVscode } from './vscode/install.ts';

export type Environment = Readonly<Record<string, string>>;

export interface Preparation {
  name: string;
  prepare: (log: (line: string) => void) => Promise<Prepared>;
}

export interface Prepared {
  /** What suites that need it find in their environment. */
  env?: Environment;
  /** Called when no later stage needs it: what stands idle takes from those that run. */
  end?: () => Promise<void>;
}

export interface SuiteDefinition {
  name: string;
  about: string;
  files: () => string[];
  needs: Preparation[];
  /** For one test, unless it sets its own. */
  timeoutMs: number;
}

const root = join(import.meta.dirname, '..');
const GIVEN = 'AMBIENT_TEST_CLUSTER';
const files =
  (...patterns: string[]) =>
  (): string[] =>
    globSync(patterns, { cwd: root }).sort();

/** The cluster of a lane's suites; it ends with this process at the latest. Where none can run, the suites skip and say why. */
const clusterOf = (name: string): Preparation => ({
  name,
  async prepare(log) {
    if (process.env[GIVEN]) {
      await attachCluster(process.env[GIVEN]);
      return {};
    }
    const { controlPlane, node } = await clusterCapability();
    if (controlPlane !== true) {
      log(`none: ${controlPlane}`);
      return {};
    }
    const up = await clusterUp({ node: node === true, log });
    log(`milliseconds by step: ${JSON.stringify(up.timings)}`);
    return { env: { [GIVEN]: up.stateDir }, end: () => up.down() };
  },
});
const cluster = clusterOf('cluster');
const podCluster = clusterOf('pod cluster');

/** Built once on a machine; where it cannot be, the tests of it skip and say why. */
const s3: Preparation = {
  name: 's3',
  async prepare(log) {
    const able = await s3Capability();
    if (able === true) await ensureBinaries(['versitygw'], log);
    else log(`none: ${able}`);
    return {};
  },
};

const vscode: Preparation = {
  name: 'vscode',
  async prepare(log) {
    await installVscode(log);
    await findChromium(log, process.env);
    return {};
  },
};

const unit: SuiteDefinition = {
  name: 'unit',
  about: 'pure logic and parts alone',
  files: files('test/unit/**/*.test.ts'),
  needs: [s3],
  timeoutMs: 20_000,
};

const agents: SuiteDefinition = {
  name: 'agents',
  about: 'real agents against a stand-in for their providers',
  files: files('test/agents/*.test.ts'),
  needs: [],
  timeoutMs: 120_000,
};

const clusters: SuiteDefinition = {
  name: 'cluster',
  about: 'how clusters come and go',
  files: files('test/cluster/*.test.ts'),
  needs: [cluster],
  timeoutMs: 120_000,
};

const operator: SuiteDefinition = {
  name: 'operator',
  about: 'the operator against a real API server',
  files: files('test/operator/**/*.test.ts'),
  needs: [cluster],
  timeoutMs: 60_000,
};

const pods: SuiteDefinition = {
  name: 'pods',
  about: 'the operator with real pods',
  files: files('test/pods/*.test.ts'),
  needs: [podCluster],
  timeoutMs: 60_000,
};

const load: SuiteDefinition = {
  name: 'load',
  about: 'many sessions at once, against a real API server',
  files: files('test/load/*.test.ts'),
  // Of fake nodes, which it brings up itself.
  needs: [],
  timeoutMs: 120_000,
};

const extension: SuiteDefinition = {
  name: 'extension',
  about: 'the extension inside a real VS Code',
  files: files('test/vscode/*.test.ts', 'test/extension/*.suite.ts'),
  needs: [vscode, cluster],
  timeoutMs: 120_000,
};

const e2e: SuiteDefinition = {
  name: 'e2e',
  about: 'editor to pod and back',
  files: files('test/e2e/*.test.ts'),
  needs: [vscode, cluster],
  timeoutMs: 180_000,
};

/**
 * Stages follow each other. Lanes of a stage run beside each other, each on a cluster of its own: pods are mostly waited for, while
 * the rest computes. What measures how soon a person sees something runs alone, and what needs all of the machine when no other
 * cluster is left: namespaces whose end waits for an operator that is gone keep one at work.
 */
export const STAGES: SuiteDefinition[][][] = [
  process.env[GIVEN] || availableParallelism() < 2
    ? [[unit, agents, clusters, operator, pods]]
    : [[unit, agents, clusters, operator], [pods]],
  [[extension, e2e]],
  [[load]],
];
