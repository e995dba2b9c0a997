/** Paths in settings as people write them. Pure. */
import { join } from 'node:path';

/** `~`, `~/x` and `${env:NAME}` filled in; an unset variable is empty. */
export function expandPath(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
  homeDir: string,
): string {
  const filled = text.trim().replace(/\$\{env:([^}]+)\}/g, (_, name: string) => env[name] ?? '');
  if (filled === '~') return homeDir;
  return /^~[\\/]/.test(filled) ? join(homeDir, filled.slice(2)) : filled;
}
