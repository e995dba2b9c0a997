/** A window that has just opened is busy with itself for seconds: what is measured then is VS Code. */
import type { VscodeWindow } from '../vscode/window.ts';

/** Waits until neither the page nor the extension host does anything worth mentioning. */
export async function settled(window: VscodeWindow): Promise<void> {
  await window.waitIdle();
  await window.inHost(async () => {
    const LOOK_MS = 300;
    const QUIET_CPU_MS = 15;
    const deadline = performance.now() + 10_000;
    for (let busyMs = Infinity; busyMs > QUIET_CPU_MS && performance.now() < deadline;) {
      const before = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const { user, system } = process.cpuUsage(before);
      busyMs = (user + system) / 1000;
    }
    return null;
  });
}
