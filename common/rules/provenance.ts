/**
 * What a session has made and how, as an in-toto statement with SLSA's provenance: https://slsa.dev/spec/v1.0/provenance.
 * The same session gives the same bytes each time, so that making it again after a crash changes nothing.
 */
import type { Session } from '../api/session.ts';
import { canonicalJson } from './audit-chain.ts';

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const PREDICATE_TYPE = 'https://slsa.dev/provenance/v1';
export const BUILD_TYPE = 'https://ambient.ai/provenance/session/v1';
export const BUILDER_ID = 'https://ambient.ai/provenance/operator/v1';
/** Of the envelope's payload. */
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

export interface ResourceDescriptor {
  name?: string;
  uri?: string;
  /** Algorithm → hex. */
  digest?: Record<string, string>;
}

export interface ProvenanceStatement {
  _type: typeof STATEMENT_TYPE;
  subject: { name: string; digest: { sha256: string } }[];
  predicateType: typeof PREDICATE_TYPE;
  predicate: {
    buildDefinition: {
      buildType: typeof BUILD_TYPE;
      /** What whoever launched it decided. */
      externalParameters: Record<string, unknown>;
      /** What the platform decided. */
      internalParameters: Record<string, unknown>;
      resolvedDependencies: ResourceDescriptor[];
    };
    runDetails: {
      builder: { id: typeof BUILDER_ID };
      metadata: { invocationId: string; startedOn?: string; finishedOn?: string };
    };
  };
}

/** `digest` is `sha256:` and hex. */
export interface Product {
  path: string;
  digest: string;
}

/** What the session's object does not say. */
export interface RunFacts {
  /** As it is judged: Succeeded, CommandFailed … */
  outcome: string;
  exitCode?: number | undefined;
  finishedAt?: string | undefined;
  /** By content, as the kubelet says: image@sha256:… */
  imageId?: string | undefined;
  /** That the git source was at. */
  commit?: string | undefined;
}

const hexOf = (digest: string): string => digest.replace(/^sha256:/, '');

export function statementOf(
  session: Session,
  products: readonly Product[],
  run: RunFacts,
  sha256: (text: string) => string,
): ProvenanceStatement {
  const { metadata, spec, status } = session;
  const { image, startTime, policy, runtimeClassName } = status?.workload ?? {};
  const { trigger } = spec;
  return {
    _type: STATEMENT_TYPE,
    subject: products
      .map(({ path, digest }) => ({ name: path, digest: { sha256: hexOf(digest) } }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    predicateType: PREDICATE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: defined({
          session: { namespace: metadata.namespace ?? '', name: metadata.name, uid: metadata.uid ?? '' },
          launchedBy: spec.createdBy?.user,
          trigger: defined({
            source: trigger?.source,
            event: trigger?.event,
            delivery: trigger?.delivery,
          }),
          framework: defined({
            type: spec.framework.type,
            version: spec.framework.version,
            configDigest: { sha256: sha256(canonicalJson(spec.framework.config ?? {})) },
          }),
          source: sourceOf(session),
        }),
        internalParameters: defined({
          approvedBy: status?.approval?.by,
          policy,
          image,
          runtimeClassName,
          limits: status?.workload?.resources,
        }),
        resolvedDependencies: dependenciesOf(session, run),
      },
      runDetails: {
        builder: { id: BUILDER_ID },
        metadata: {
          invocationId: metadata.uid ?? '',
          ...defined({ startedOn: startTime, finishedOn: run.finishedAt }),
          ...defined({ outcome: run.outcome, exitCode: run.exitCode }),
        },
      },
    },
  };
}

function sourceOf({ spec: { source } }: Session): Record<string, unknown> {
  switch (source?.type) {
    case 'git':
      return defined({ type: 'git', url: source.git?.url, ref: source.git?.ref });
    case 'upload':
      return defined({ type: 'upload', name: source.upload?.name, digest: source.upload?.digest });
    default:
      return { type: 'none' };
  }
}

function dependenciesOf({ spec }: Session, { imageId, commit }: RunFacts): ResourceDescriptor[] {
  const found: ResourceDescriptor[] = [];
  const { git, upload } = spec.source ?? {};
  if (git !== undefined)
    found.push({ uri: `git+${git.url}`, ...(commit === undefined ? {} : { digest: { gitCommit: commit } }) });
  if (upload !== undefined) found.push({ name: 'source', digest: { sha256: hexOf(upload.digest) } });
  const received = spec.trigger?.received;
  if (received !== undefined)
    found.push({ name: received.artifact, digest: { sha256: hexOf(received.digest) } });
  const sha256 = /@sha256:([0-9a-f]{64})$/.exec(imageId ?? '')?.[1];
  if (imageId !== undefined && sha256 !== undefined)
    found.push({ uri: `oci://${imageId.replace(/^[a-z-]+:\/\//, '')}`, digest: { sha256 } });
  return found;
}

const defined = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** What is signed of an envelope, so that a payload is never taken for one of another type: DSSE's encoding. */
export function preAuthEncoding(payload: string): string {
  const bytes = (text: string): number => new TextEncoder().encode(text).length;
  return `DSSEv1 ${bytes(PAYLOAD_TYPE)} ${PAYLOAD_TYPE} ${bytes(payload)} ${payload}`;
}

export interface Difference {
  path: string;
  what: 'changed' | 'missing' | 'extra';
  expected?: string;
  found?: string;
}

/** Between what was signed and what is there, by path. */
export function differencesOf(statement: ProvenanceStatement, found: readonly Product[]): Difference[] {
  const there = new Map(found.map(({ path, digest }) => [path, hexOf(digest)]));
  const differences: Difference[] = [];
  for (const { name, digest } of statement.subject) {
    const actual = there.get(name);
    there.delete(name);
    if (actual === undefined) differences.push({ path: name, what: 'missing', expected: digest.sha256 });
    else if (actual !== digest.sha256)
      differences.push({ path: name, what: 'changed', expected: digest.sha256, found: actual });
  }
  for (const [path, digest] of there) differences.push({ path, what: 'extra', found: digest });
  return differences.sort((a, b) => (a.path < b.path ? -1 : 1));
}
