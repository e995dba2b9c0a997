/** What keeps streams of the outbox waiting: for retries, and for people to see why. */
import type { NamespacePolicyStatus } from '../../../common/api/namespace-policy.ts';
import type { StreamKey } from '../../record/notifications/outbox.ts';
import { timestamp } from '../clock.ts';

type Waiting = NonNullable<NonNullable<NamespacePolicyStatus['notifications']>['waiting']>[number];

interface Trouble {
  label: string;
  reason: string;
  /** Milliseconds since the epoch of the first failure in a row. */
  since: number;
  tries: number;
}

export class Troubles {
  readonly #troubles = new Map<StreamKey, Trouble>();

  has(stream: StreamKey): boolean {
    return this.#troubles.has(stream);
  }

  /** How often it has failed in a row. */
  note(stream: StreamKey, { label, reason, at }: { label: string; reason: string; at: number }): number {
    const before = this.#troubles.get(stream);
    const tries = (before?.tries ?? 0) + 1;
    this.#troubles.set(stream, { label, reason: reason.slice(0, 1024), since: before?.since ?? at, tries });
    return tries;
  }

  clear(stream: StreamKey): void {
    this.#troubles.delete(stream);
  }

  /** One for each target and reason, the oldest first. */
  of(namespace: string): Waiting[] {
    const found = new Map<string, Trouble>();
    for (const [stream, trouble] of this.#troubles) {
      if (!stream.startsWith(`${namespace}/`)) continue;
      const key = `${trouble.label}\n${trouble.reason}`;
      const known = found.get(key);
      if (known === undefined || trouble.since < known.since) found.set(key, trouble);
    }
    return [...found.values()]
      .sort((a, b) => a.since - b.since)
      .map(({ label, reason, since }) => ({ target: label, reason, since: timestamp(since) }));
  }
}
