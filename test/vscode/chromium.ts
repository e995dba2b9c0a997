/** Finds the Chromium that shows VS Code to the tests; as root on Debian or Ubuntu installs it. */
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { aptInstall, isDebian } from '../cluster/apt.ts';
import { CommandError, run } from '../cluster/process.ts';
import { VscodeUnavailable } from './unavailable.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const ELSEWHERE = [
  '/usr/lib/chromium/chromium',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];
/** Beside the browser, a proportional and a fixed font, so that screenshots look as they do on a desk. */
const PACKAGES = ['chromium', 'fonts-liberation', 'fonts-dejavu-core'];

/**
 * Returns the path of a Chromium or Chrome: CHROME_PATH if set, else an installed one, else one it installs.
 * Throws VscodeUnavailable with the reason and what to do.
 */
export async function findChromium(log: (line: string) => void, env: NodeJS.ProcessEnv): Promise<string> {
  const named = env['CHROME_PATH'];
  if (named !== undefined && named !== '') {
    if (await executable(named)) return named;
    throw new VscodeUnavailable(`CHROME_PATH names ${named}, which is not an executable file`);
  }
  const found = await installed(env);
  if (found !== undefined) return found;
  const refusal = await whyNotInstallable();
  if (refusal !== undefined) {
    throw new VscodeUnavailable(
      `no Chromium or Chrome found, and ${refusal}; install one or name it in CHROME_PATH`,
    );
  }
  try {
    await aptInstall(PACKAGES, log);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new VscodeUnavailable(`apt-get could not install Chromium: ${error.message}`, error);
  }
  const made = await installed(env);
  if (made === undefined)
    throw new VscodeUnavailable('the package chromium was installed but brought no browser');
  return made;
}

async function installed(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const folders = (env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const candidates = [...NAMES.flatMap((name) => folders.map((f) => path.join(f, name))), ...ELSEWHERE];
  for (const candidate of candidates) if (await usable(candidate)) return candidate;
  return undefined;
}

async function executable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Ubuntu's chromium-browser is a script that asks for the snap; only what says its version is a browser. */
async function usable(file: string): Promise<boolean> {
  if (!(await executable(file))) return false;
  try {
    return /chrom/i.test(await run(file, ['--version'], { timeoutMs: 20_000 }));
  } catch {
    return false;
  }
}

async function whyNotInstallable(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'packages are installed automatically only on Debian';
  if (process.getuid?.() !== 0) return 'installing it takes root';
  return (await isDebian()) ? undefined : 'this is neither Debian nor Ubuntu';
}
