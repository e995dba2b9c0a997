/** Ties a cluster's life to its owner's: when that process ends, in whatever way, the cluster is taken down. */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import path from 'node:path';
import { signal } from './daemons.ts';

/**
 * Starts a waiting shell in a session of its own, which holds one end of a pipe. The kernel closes the other end with
 * this process, and the shell becomes the teardown. Returns what to call when the cluster was taken down in the
 * ordinary way.
 */
export function watch(stateDir: string): () => void {
  const teardown = path.join(import.meta.dirname, 'teardown.ts');
  const script = 'cat >/dev/null; exec "$0" "$@"';
  const child = spawn('sh', ['-c', script, process.execPath, teardown, stateDir], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.unref();
  const pipe = child.stdin;
  pipe.on('error', () => undefined);
  // The pipe must not keep this process running: it is there to notice that it is not.
  if (pipe instanceof Socket) pipe.unref();
  return () => {
    if (child.pid !== undefined) signal(-child.pid, 'SIGKILL');
    pipe.destroy();
  };
}
