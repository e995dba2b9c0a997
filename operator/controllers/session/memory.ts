/**
 * What the controller remembers of a session between two looks, and may lose: after a restart every decision comes out
 * the same, at most later.
 */
import type { PodEnd } from '../../../common/rules/outcome.ts';
import type { ContainerEnd } from '../../../common/rules/outcome.ts';

export interface Trouble {
  /** Names the kind of trouble; another kind starts a new count. */
  kind: string;
  /** Clock.elapsed() when it was first seen. */
  since: number;
  /** As first seen, since Kubernetes words the same trouble differently every few seconds. */
  message: string;
}

export interface SessionMemory {
  /** resourceVersion of the Session as this process last wrote it. */
  writtenVersion?: string;
  /** resourceVersion of the Job as this process created it. */
  jobVersion?: string;
  /** That its Job is to be made is on record. */
  jobRecorded?: boolean;
  /** It starts in a pod of its own: none that is kept ready would do, or the one it wanted was lost. */
  isCold?: boolean;
  trouble?: Trouble;
  /** How the pod ended, kept because the pod itself may be gone a moment later. */
  podEnd?: PodEnd;
  containerEnd?: ContainerEnd;
}

export class Memory {
  readonly #sessions = new Map<string, SessionMemory>();

  /** Of a session by its UID; empty when nothing is known. */
  of(uid: string): Readonly<SessionMemory> {
    return this.#sessions.get(uid) ?? {};
  }

  note(uid: string, facts: Partial<SessionMemory>): void {
    this.#sessions.set(uid, { ...this.#sessions.get(uid), ...facts });
  }

  /** Counts from now when this kind of trouble is new; otherwise what was noted first. */
  trouble(uid: string, kind: string, message: string, now: number): Trouble {
    const standing = this.of(uid).trouble;
    if (standing?.kind === kind) return standing;
    const trouble = { kind, since: now, message };
    this.note(uid, { trouble });
    return trouble;
  }

  clearTrouble(uid: string): void {
    const known = this.#sessions.get(uid);
    if (known?.trouble === undefined) return;
    const { trouble: _, ...rest } = known;
    this.#sessions.set(uid, rest);
  }

  forget(uid: string): void {
    this.#sessions.delete(uid);
  }

  get size(): number {
    return this.#sessions.size;
  }
}
