/** What npm test runs, in order, and what each suite needs to be ready first. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBinaries } from './cluster/binaries.ts';
import { s3Capability } from './cluster/capability.ts';
import { attachCluster, clusterCapability, clusterUp } from './cluster/index.ts';
import { findChromium } from './vscode/chromium.ts';
import { installVscode } from './vscode/install.ts';

export interface Preparation {
  name: string;
  prepare(log: (line: string) => void): Promise<void>;
}

export interface SuiteDefinition {
  name: string;
  about: string;
  files(): string[];
  needs: Preparation[];
  /** For one test, unless it sets its own. */
  timeoutMs: number;
}

const root = join(import.meta.dirname, '..');
const files =
  (...patterns: string[]) =>
  (): string[] =>
    globSync(patterns, { cwd: root }).sort();

/** One cluster for every suite; it ends with this process. Where none can run, the suites skip and say why. */
const cluster: Preparation = {
  name: 'cluster',
  async prepare(log) {
    if (process.env.AMBIENT_TEST_CLUSTER) {
      await attachCluster(process.env.AMBIENT_TEST_CLUSTER);
      return;
    }
    const { controlPlane, node } = await clusterCapability();
    if (controlPlane !== true) return log(`none: ${controlPlane}`);
    const { stateDir, timings } = await clusterUp({ node: node === true, log });
    process.env.AMBIENT_TEST_CLUSTER = stateDir;
    log(`milliseconds by step: ${JSON.stringify(timings)}`);
  },
};

/** Built once on a machine; where it cannot be, the tests of it skip and say why. */
const s3: Preparation = {
  name: 's3',
  async prepare(log) {
    const able = await s3Capability();
    if (able === true) await ensureBinaries(['versitygw'], log);
    else log(`none: ${able}`);
  },
};

const vscode: Preparation = {
  name: 'vscode',
  async prepare(log) {
    await installVscode(log);
    await findChromium(log, process.env);
  },
};

export const SUITES: SuiteDefinition[] = [
  {
    name: 'unit',
    about: 'pure logic and parts alone',
    files: files('test/unit/**/*.test.ts'),
    needs: [s3],
    timeoutMs: 20_000,
  },
  {
    name: 'agents',
    about: 'real agents against a stand-in for their providers',
    files: files('test/agents/*.test.ts'),
    needs: [],
    timeoutMs: 120_000,
  },
  {
    name: 'cluster',
    about: 'how clusters come and go',
    files: files('test/cluster/*.test.ts'),
    needs: [cluster],
    timeoutMs: 120_000,
  },
  {
    name: 'operator',
    about: 'the operator against a real API server',
    files: files('test/operator/**/*.test.ts'),
    needs: [cluster],
    timeoutMs: 60_000,
  },
  {
    name: 'extension',
    about: 'the extension inside a real VS Code',
    files: files('test/vscode/*.test.ts', 'test/extension/*.suite.ts'),
    needs: [vscode, cluster],
    timeoutMs: 120_000,
  },
  {
    name: 'e2e',
    about: 'editor to pod and back',
    files: files('test/e2e/*.test.ts'),
    needs: [vscode, cluster],
    timeoutMs: 180_000,
  },
];
