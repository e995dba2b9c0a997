/** What the document of a session's log is called: like its artifacts, below a scheme of its own. */
import { ARTIFACT_SCHEME, artifactPlace, artifactUri } from '../artifacts/artifact-uri.ts';
import type { SessionRef } from '../sessions/session-ref.ts';

export const LOG_SCHEME = 'ambient-log';
/** By this folder package.json's filenamePatterns know the language: patterns see paths, never schemes. */
const FOLDER = 'ambient-session-log';

export const logUri = (ref: SessionRef): { scheme: string; path: string } => ({
  scheme: LOG_SCHEME,
  path: artifactUri(ref, `${FOLDER}/${ref.name}.log`).path,
});

/** The session of a log's address; undefined for every other address. */
export function logPlace({ scheme, path }: { scheme: string; path: string }): SessionRef | undefined {
  if (scheme !== LOG_SCHEME) return undefined;
  const place = artifactPlace({ scheme: ARTIFACT_SCHEME, path });
  return place?.path === `${FOLDER}/${place?.ref.name ?? ''}.log` ? place.ref : undefined;
}
