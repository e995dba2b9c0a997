/** System packages by apt, for root on Debian and Ubuntu: one installation at a time on this machine. */
import { readFile } from 'node:fs/promises';
import { lock } from './cache.ts';
import { run, succeeds } from './process.ts';

/** Debian or something made from it, with apt-get. */
export async function isDebian(): Promise<boolean> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release) && (await succeeds('apt-get', ['--version']));
}

/** With the lists of packages as they are, else with new ones. Throws CommandError. */
export async function aptInstall(packages: readonly string[], log: (line: string) => void): Promise<void> {
  // Browser and node are made ready at the same time, and apt refuses a second one of itself.
  await using _lock = await lock('apt', () => log('waiting for another installation of system packages'));
  log(`installing system packages: ${packages.join(' ')}`);
  const apt = (...args: string[]): Promise<string> =>
    run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      timeoutMs: 900_000,
    });
  const install = ['install', '--yes', '--no-install-recommends', ...packages];
  try {
    await apt(...install);
  } catch {
    await apt('update');
    await apt(...install);
  }
}
