/** The artifacts of sessions over the live API: the list, asked for at most once a second, and their bytes in ranges. */
import type { Artifact, ArtifactList, livePaths } from '../../common/api/live.ts';
import { AmbientError } from '../../common/errors.ts';
import type { Connection } from '../../common/kube/connection.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isForbidden } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { refKey } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { RangeSource } from './download.ts';

type LivePaths = typeof livePaths;

export interface LiveClusters {
  connection(context: string): Promise<Pick<Connection, 'json' | 'stream'>>;
  client(context: string): Promise<Pick<KubeClient, 'get'>>;
}

/** An editor that opens asks several times for the same list. */
const KEEP_MS = 1000;
/** Below the API server's cut: a body that hangs is given up and asked for again from where it stopped. */
const RANGE_DEADLINE_MS = 50_000;

interface Kept {
  artifacts: Promise<readonly Artifact[]>;
  /** When it was asked for, in ms. */
  at: number;
}

export class LiveArtifacts {
  readonly #clusters: LiveClusters;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();

  constructor(clusters: LiveClusters, now: () => number = () => performance.now()) {
    this.#clusters = clusters;
    this.#now = now;
  }

  /** Ordered by path. Throws KubeError; not_found also when the session of that name is another one by now. */
  list(ref: SessionRef): Promise<readonly Artifact[]> {
    const key = `${refKey(ref)} ${ref.uid ?? ''}`;
    const at = this.#now();
    for (const [other, { at: since }] of this.#kept) if (at - since >= KEEP_MS) this.#kept.delete(other);
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept.artifacts;
    const artifacts = this.#ask(ref);
    this.#kept.set(key, { artifacts, at });
    artifacts.catch(() => {
      if (this.#kept.get(key)?.artifacts === artifacts) this.#kept.delete(key);
    });
    return artifacts;
  }

  /** The next `list` asks the cluster. */
  forget(ref: SessionRef): void {
    this.#kept.delete(`${refKey(ref)} ${ref.uid ?? ''}`);
  }

  /** Throws not_found. */
  async find(ref: SessionRef, path: string): Promise<Artifact> {
    const artifact = (await this.list(ref)).find((each) => each.path === path);
    if (artifact === undefined)
      throw new AmbientError('not_found', `session ${ref.name} has no artifact ${path}`);
    return artifact;
  }

  source(ref: SessionRef, artifact: Artifact): RangeSource {
    return {
      name: artifact.path,
      size: artifact.size,
      digest: artifact.digest,
      fetchRange: (first, last, signal) => this.#fetch(ref, artifact, first, last, signal),
    };
  }

  async #ask(ref: SessionRef): Promise<readonly Artifact[]> {
    const connection = await this.#clusters.connection(ref.cluster);
    const at = await paths();
    const [list] = await Promise.all([
      connection.json<ArtifactList>(at.artifacts(ref.namespace, ref.name)),
      this.#checkIdentity(ref),
    ]);
    return list.items;
  }

  /** A session may have been deleted and another one created under its name: never show that one's files for this one's. */
  async #checkIdentity(ref: SessionRef): Promise<void> {
    if (ref.uid === undefined) return;
    const client = await this.#clusters.client(ref.cluster);
    try {
      const { metadata } = await client.get(sessions, { namespace: ref.namespace, name: ref.name });
      if (metadata.uid === ref.uid) return;
    } catch (error) {
      // Who may read artifacts but not the object sees them under the name alone.
      if (isForbidden(error)) return;
      throw error;
    }
    throw new AmbientError(
      'not_found',
      `the session ${ref.name} was deleted; another one has its name by now`,
    );
  }

  async #fetch(
    ref: SessionRef,
    artifact: Artifact,
    first: number,
    last: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const connection = await this.#clusters.connection(ref.cluster);
    const at = await paths();
    const etag = `"${artifact.digest}"`;
    const { status, headers, body } = await connection.stream(
      at.artifact(ref.namespace, ref.name, artifact.path),
      {
        accept: '*/*',
        headers: { range: `bytes=${first}-${last}`, 'if-range': etag },
        signal: AbortSignal.any([signal, AbortSignal.timeout(RANGE_DEADLINE_MS)]),
      },
    );
    const isSame = headers['etag'] === undefined || headers['etag'] === etag;
    const range = String(headers['content-range'] ?? '');
    if (isSame && (status === 206 ? range.startsWith(`bytes ${first}-`) : first === 0)) return body;
    body.destroy();
    throw new AmbientError('conflict', `${artifact.path} was replaced while it was read`);
  }
}

/** The contract brings its schemas along, which nobody needs before the first artifact is looked at. */
async function paths(): Promise<LivePaths> {
  return (await import('../../common/api/live.ts')).livePaths;
}
