// Makes the checkout ready and runs one of its scripts on the project's own Node.
// Written for any Node >= 20 because it is what runs before the project's Node 24 is installed.
//
//   node scripts/bootstrap.mjs                      only install what package-lock.json names
//   node scripts/bootstrap.mjs SCRIPT [ARG ...]     then run SCRIPT, with its exit code and signals passed on
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** Whether node_modules holds what package-lock.json names: npm writes its own record as the last thing of an install. */
function installed() {
  try {
    const packages = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
    const present = packages(join('node_modules', '.package-lock.json'));
    return Object.entries(packages('package-lock.json')).every(
      ([path, { version, optional }]) => path === '' || optional || present[path]?.version === version,
    );
  } catch {
    return false;
  }
}

if (!existsSync(node) || !installed()) {
  process.stderr.write(
    'Installing the packages named in package-lock.json (about a minute the first time) ...\n',
  );
  const started = Date.now();
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0) {
    process.stderr.write(
      `npm ci failed (${npm.error?.message ?? `exit code ${npm.status}`}). Is the npm registry reachable?\n`,
    );
    process.exit(npm.status ?? 1);
  }
  process.stderr.write(`Packages installed in ${Math.round((Date.now() - started) / 1000)} s\n`);
}

const [script, ...args] = process.argv.slice(2);
if (script) {
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', script, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: `${dirname(node)}:${join(root, 'node_modules', '.bin')}:${process.env.PATH ?? ''}`,
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
}
