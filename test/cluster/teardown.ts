/** Removes every trace of a built-in cluster: processes, interface, cgroups, files. Also run by the watchdog. */
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { lock } from './cache.ts';
import { cgroupName } from './node.ts';
import { removeCgroups } from './cgroups.ts';
import { isAlive, stopDaemons } from './daemons.ts';
import { removeKind } from './kind.ts';
import { run } from './process.ts';
import { listStates, networkOf, readState, removeShared, stateDirOf, stateRoot } from './state.ts';

/** Idempotent, and safe when two processes do it at once. Throws when something does not go away. */
export async function tearDown(stateDir: string): Promise<void> {
  await using _lock = await lock(`teardown ${stateDir}`);
  await removeKind(stateDir);
  const state = await readState(stateDir);
  await stopDaemons(stateDir);
  if (state === undefined) return;
  if (state.node) {
    // The kernel removes the link with the namespace at its other end, but only some time after.
    await run('ip', ['link', 'del', networkOf(state.slot).hostInterface]).catch(() => undefined);
    await removeCgroups(cgroupName(state.slot));
  }
  // The state goes last and at once: until then a killed teardown is found and finished by the next one.
  const doomed = path.join(path.dirname(stateDir), `.${path.basename(stateDir)}.gone-${process.pid}`);
  await rename(stateDir, doomed);
  await rm(doomed, { recursive: true, force: true, maxRetries: 5 });
  await removeShared();
}

/** Takes down clusters whose owner is dead and whose watchdog did not do it (killed too, or the machine restarted). */
export async function reap(log: (line: string) => void): Promise<void> {
  for (const name of await readdir(stateRoot()).catch(() => [])) {
    if (name.includes('.gone-')) await rm(path.join(stateRoot(), name), { recursive: true, force: true });
  }
  for (const state of await listStates()) {
    if (state.owner === undefined || isAlive(state.owner)) continue;
    log(`removing cluster ${state.name}, whose owner is gone`);
    await tearDown(stateDirOf(state.name));
  }
}

const [, script, target] = process.argv;
if (script === import.meta.filename && target !== undefined) await tearDown(target);
