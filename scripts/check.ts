/** npm run check: types, lint, format, room arrows and freshness of generated files, each with its time. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { arrowProblems } from './arrows.ts';
import { crdFiles } from './crds.ts';
import { OPENAPI_FILE, openApiText } from './openapi.ts';

const root = join(import.meta.dirname, '..');

async function tool(script: string, ...args: string[]): Promise<string[]> {
  try {
    await promisify(execFile)(process.execPath, [join(root, 'node_modules', script), ...args], {
      cwd: root,
      maxBuffer: 64 * 1024 * 1024,
    });
    return [];
  } catch (error) {
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string };
    return [`${stdout ?? ''}${stderr ?? ''}`.trim() || message];
  }
}

function staleFiles(): string[] {
  const crds = [...crdFiles()].map(([name, content]) => [`manifests/crds/${name}`, content] as const);
  return [...crds, [OPENAPI_FILE, openApiText()] as const].flatMap(([name, content]) => {
    let present = '';
    try {
      present = readFileSync(join(root, name), 'utf8');
    } catch {
      // absent counts as stale
    }
    return present === content ? [] : [`${name} is stale: npm run generate`];
  });
}

const CHECKS: Record<string, () => string[] | Promise<string[]>> = {
  types: () => tool('typescript/bin/tsc', '-p', '.'),
  lint: () =>
    tool('eslint/bin/eslint.js', '--max-warnings=0', '--cache', '--cache-location', '.cache/eslint', '.'),
  format: () => tool('prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'),
  arrows: arrowProblems,
  generated: staleFiles,
};

export interface CheckResult {
  name: string;
  problems: string[];
  milliseconds: number;
}

/** All at once: each is a process that uses one core. */
export async function runChecks(): Promise<CheckResult[]> {
  return await Promise.all(
    Object.entries(CHECKS).map(async ([name, check]) => {
      const started = performance.now();
      const problems = await check();
      return { name, problems, milliseconds: performance.now() - started };
    }),
  );
}

if (import.meta.main) {
  const results = await runChecks();
  for (const { name, problems, milliseconds } of results) {
    console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${name} (${(milliseconds / 1000).toFixed(1)} s)`);
    for (const problem of problems) console.log(problem);
  }
  process.exitCode = results.some(({ problems }) => problems.length > 0) ? 1 : 0;
}
