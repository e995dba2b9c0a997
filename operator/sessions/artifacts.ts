/** What a session made: put by its runner, listed and fetched by people. */
import type { Readable } from 'node:stream';
import type { Artifact } from '../../common/api/live.ts';
import { OPERATOR_ARTIFACTS } from '../../common/api/names.ts';
import { MEMORY_ARCHIVE } from '../../common/api/runner.ts';
import { ARTIFACT_TYPES, ARTIFACTS_IN_STATUS_MAX, isTerminal } from '../../common/api/session.ts';
import type { GeneratedArtifact, Session } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { Product } from '../../common/rules/provenance.ts';
import { keys, PROVENANCE_ARTIFACT, refOf } from '../store/keys.ts';
import type { ArtifactStore, ByteRange, ObjectInfo } from '../store/store.ts';
import { safeArtifactPath } from './artifact-path.ts';

export interface NewArtifact {
  path: string;
  /** One of ARTIFACT_TYPES; output when absent. */
  type?: string | undefined;
  contentType?: string | undefined;
  /** `sha256:` and hex: what the bytes must have. */
  digest?: string | undefined;
}

export interface ArtifactSummary {
  generated: GeneratedArtifact[];
  count: number;
  totalBytes: number;
  /** With what is kept beside them, but for the statement about them: that comes after. */
  storedBytes: number;
  /** All that the session itself made. */
  products: Product[];
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** type/subtype with parameters, printable ASCII: it goes into a header. */
const CONTENT_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:; ?[\x20-\x7e]+)?$/;
const CONTENT_TYPE_MAX = 255;
const UNKNOWN_CONTENT = 'application/octet-stream';

export class Artifacts {
  readonly #store: ArtifactStore;

  constructor(store: ArtifactStore) {
    this.#store = store;
  }

  /** Ordered by path. */
  async *list(session: Session): AsyncGenerator<Artifact, void, undefined> {
    const prefix = keys.artifacts(refOf(session));
    for await (const info of this.#store.list(prefix)) yield artifactOf(info, prefix);
  }

  /** Likewise, without what is kept beside them, below OPERATOR_ARTIFACTS. */
  async *made(session: Session): AsyncGenerator<Artifact, void, undefined> {
    for await (const artifact of this.list(session)) if (!isBeside(artifact)) yield artifact;
  }

  /** Throws not_found, unsafe_path. */
  async describe(session: Session, path: string): Promise<Artifact> {
    const ref = refOf(session);
    const info = await this.#store.stat(keys.artifact(ref, safeArtifactPath(path)));
    if (info === undefined) throw absent(path);
    return artifactOf(info, keys.artifacts(ref));
  }

  /** Throws not_found, unsafe_path, range_not_satisfiable. Whoever asked reads the body to its end or destroys it. */
  async get(
    session: Session,
    path: string,
    range?: ByteRange,
  ): Promise<{ artifact: Artifact; body: Readable }> {
    const ref = refOf(session);
    try {
      const { info, body } = await this.#store.get(keys.artifact(ref, safeArtifactPath(path)), range);
      return { artifact: artifactOf(info, keys.artifacts(ref)), body };
    } catch (error) {
      throw error instanceof AmbientError && error.code === 'not_found' ? absent(path) : error;
    }
  }

  /** Replaces what stood under the path. Throws unsafe_path, invalid_request, digest_mismatch, already_finished. */
  async put(
    session: Session,
    artifact: NewArtifact,
    body: Readable,
    signal?: AbortSignal,
  ): Promise<Artifact> {
    const ref = refOf(session);
    const path = safeArtifactPath(artifact.path);
    if (isBeside({ path }) && path !== MEMORY_ARCHIVE)
      throw new AmbientError('unsafe_path', `below ${OPERATOR_ARTIFACTS} only the operator writes`);
    const { type = 'output', contentType = UNKNOWN_CONTENT, digest } = artifact;
    if (!isArtifactType(type)) {
      throw new AmbientError('invalid_request', `an artifact's type is one of ${ARTIFACT_TYPES.join(', ')}`);
    }
    if (digest !== undefined && !DIGEST.test(digest)) {
      throw new AmbientError('invalid_request', 'a digest is sha256: and 64 hexadecimal digits');
    }
    if (isTerminal(session.status?.phase)) {
      throw new AmbientError('already_finished', 'the session takes no more artifacts');
    }
    const isUsable = contentType.length <= CONTENT_TYPE_MAX && CONTENT_TYPE.test(contentType);
    const info = await this.#store.put(keys.artifact(ref, path), body, {
      contentType: isUsable ? contentType : UNKNOWN_CONTENT,
      metadata: { type },
      ...(digest === undefined ? {} : { digest }),
      ...(signal === undefined ? {} : { signal }),
    });
    return artifactOf(info, keys.artifacts(ref));
  }

  /** For status: the first ARTIFACTS_IN_STATUS_MAX by path, and how many there are in all, without what is kept beside them. */
  async summary(session: Session): Promise<ArtifactSummary> {
    const generated: GeneratedArtifact[] = [];
    const products: Product[] = [];
    let count = 0;
    let totalBytes = 0;
    let storedBytes = 0;
    for await (const artifact of this.list(session)) {
      const { path, type, size, contentType, createdAt, digest } = artifact;
      if (path !== PROVENANCE_ARTIFACT) storedBytes += size;
      if (isBeside(artifact)) continue;
      count++;
      totalBytes += size;
      products.push({ path, digest });
      if (generated.length >= ARTIFACTS_IN_STATUS_MAX) continue;
      generated.push({ type, location: path, size, contentType, createdAt, metadata: { digest } });
    }
    return { generated, count, totalBytes, storedBytes, products };
  }
}

const isBeside = ({ path }: Pick<Artifact, 'path'>): boolean => path.startsWith(OPERATOR_ARTIFACTS);

const absent = (path: string): AmbientError =>
  new AmbientError('not_found', `the session has no artifact ${JSON.stringify(path)}`);

const isArtifactType = (type: string | undefined): type is Artifact['type'] =>
  ARTIFACT_TYPES.some((known) => known === type);

function artifactOf(info: ObjectInfo, prefix: string): Artifact {
  const type = info.metadata['type'];
  return {
    path: info.key.slice(prefix.length),
    type: isArtifactType(type) ? type : 'output',
    size: info.size,
    contentType: info.contentType,
    createdAt: info.createdAt.toISOString(),
    digest: info.digest,
  };
}
