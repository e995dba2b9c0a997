/** Tells when artifacts of sessions that somebody looks at come, change or go: the session's own watch says when to look. */
import type { Artifact } from '../../common/api/live.ts';
import { Emitter } from '../ide/event.ts';
import type { Listen, Unsubscribe } from '../ide/event.ts';
import { refKey } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { SessionChange, SessionWatch, SessionWatches } from '../sessions/session-watch.ts';
import { changesBetween } from './entries.ts';
import type { EntryChange } from './entries.ts';
import type { LiveArtifacts } from './live.ts';

export interface ArtifactsChanged {
  ref: SessionRef;
  changes: EntryChange[];
}

export interface ArtifactChangesOptions {
  live: Pick<LiveArtifacts, 'list' | 'forget'>;
  watches: Pick<SessionWatches, 'acquire'>;
  onError: (error: unknown) => void;
}

interface Followed {
  ref: SessionRef;
  holders: number;
  watch: SessionWatch;
  known: readonly Artifact[] | undefined;
  /** One look after the other. */
  looking: Promise<void>;
}

export class ArtifactChanges {
  readonly #options: ArtifactChangesOptions;
  readonly #changed = new Emitter<ArtifactsChanged>();
  readonly #followed = new Map<string, Followed>();

  constructor(options: ArtifactChangesOptions) {
    this.#options = options;
  }

  readonly onChange: Listen<ArtifactsChanged> = this.#changed.event;

  /** Follows a session until every holder has let go. */
  hold(ref: SessionRef): Unsubscribe {
    const key = `${refKey(ref)} ${ref.uid ?? ''}`;
    const followed = this.#followed.get(key) ?? this.#follow(key, ref);
    followed.holders += 1;
    let held = true;
    return {
      dispose: () => {
        if (!held) return;
        held = false;
        followed.holders -= 1;
        if (followed.holders > 0) return;
        this.#followed.delete(key);
        followed.watch.dispose();
      },
    };
  }

  dispose(): void {
    for (const { watch } of this.#followed.values()) watch.dispose();
    this.#followed.clear();
    this.#changed.dispose();
  }

  #follow(key: string, ref: SessionRef): Followed {
    const watch = this.#options.watches.acquire(ref.cluster, ref.namespace);
    // Who may not watch sessions still sees the files, as they are when they are opened.
    watch.ready.catch(this.#options.onError);
    const followed: Followed = { ref, holders: 0, watch, known: undefined, looking: Promise.resolve() };
    this.#followed.set(key, followed);
    this.#look(followed);
    watch.onChange((change) => this.#onChange(followed, change));
    return followed;
  }

  #onChange(followed: Followed, { type, object }: SessionChange): void {
    const { ref, known } = followed;
    if (object.metadata.name !== ref.name) return;
    if (ref.uid !== undefined && object.metadata.uid !== ref.uid) return;
    if (type !== 'deleted') return this.#look(followed);
    followed.known = [];
    this.#options.live.forget(ref);
    this.#fire(ref, changesBetween(known ?? [], []));
  }

  #look(followed: Followed): void {
    const { ref } = followed;
    followed.looking = followed.looking
      .then(async () => {
        if (followed.known !== undefined) this.#options.live.forget(ref);
        const now = await this.#options.live.list(ref);
        const before = followed.known;
        followed.known = now;
        if (before !== undefined) this.#fire(ref, changesBetween(before, now));
      })
      .catch(this.#options.onError);
  }

  #fire(ref: SessionRef, changes: EntryChange[]): void {
    if (changes.length > 0) this.#changed.fire({ ref, changes });
  }
}
