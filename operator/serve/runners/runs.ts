/** GET /runner/v1/run: what a pod that was kept ready shall run; held while no session has it. */
import { ANNOTATION_RUN, LABEL_SESSION_UID } from '../../../common/api/names.ts';
import { AmbientError } from '../../../common/errors.ts';
import type { Pod } from '../../../common/kube/core-types.ts';

export const RUN_WAIT_MAX_SECONDS = 30;

export interface RunsOptions {
  get(namespace: string, name: string): Pod | undefined;
  /** The pod with all that stands in it, as the API server has it. */
  fetch(namespace: string, name: string, signal?: AbortSignal): Promise<Pod | undefined>;
  onChange(listener: (pod: Pod) => void): Disposable;
}

export class Runs implements Disposable {
  readonly #options: RunsOptions;
  /** By UID of the pod: one listener on the watch, however many pods wait. */
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #subscription: Disposable;

  constructor(options: RunsOptions) {
    this.#options = options;
    this.#subscription = options.onChange((pod) => {
      if (isClaimed(pod)) for (const wake of this.#waiting.get(pod.metadata.uid ?? '') ?? []) wake();
    });
  }

  /** Whether a session has it by then. */
  async untilClaimed(pod: Pod, waitSeconds: number, ending: AbortSignal): Promise<boolean> {
    const { name, namespace = '', uid = '' } = pod.metadata;
    const latest = (): Pod => {
      const current = this.#options.get(namespace, name);
      return current?.metadata.uid === uid ? current : pod;
    };
    if (waitSeconds === 0 || isClaimed(latest()) || ending.aborted) return isClaimed(latest());
    const waiting = this.#waiting.get(uid) ?? new Set<() => void>();
    this.#waiting.set(uid, waiting);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        ending.removeEventListener('abort', done);
        waiting.delete(done);
        if (waiting.size === 0) this.#waiting.delete(uid);
        resolve();
      };
      const timer = setTimeout(done, waitSeconds * 1000);
      waiting.add(done);
      ending.addEventListener('abort', done);
    });
    return isClaimed(latest());
  }

  /** Call when it is known whose the pod is. Throws forbidden for one that is going: its session does not rely on it. */
  async of({ metadata }: Pod, signal: AbortSignal): Promise<unknown> {
    const { name, namespace = '', uid } = metadata;
    const pod = await this.#options.fetch(namespace, name, signal);
    if (pod?.metadata.uid !== uid || pod?.metadata.deletionTimestamp !== undefined)
      throw new AmbientError('forbidden', `pod ${name} is going away`);
    const run: unknown = JSON.parse(pod?.metadata.annotations?.[ANNOTATION_RUN] ?? 'null');
    return run ?? undefined;
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}

const isClaimed = ({ metadata }: Pod): boolean => (metadata.labels?.[LABEL_SESSION_UID] ?? '') !== '';
