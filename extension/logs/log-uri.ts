/** What the document of a session's log is called: like its artifacts, below a scheme of its own. */
import { ARTIFACT_SCHEME, artifactPlace, artifactUri } from '../artifacts/artifact-uri.ts';
import type { SessionRef } from '../sessions/session-ref.ts';

export const LOG_SCHEME = 'ambient-log';
/** By this folder package.json's filenamePatterns know the language: patterns see paths, never schemes. */
const FOLDER = 'ambient-session-log';

/** `title` is what the tab shows; the address means the same session under any title. */
export function logUri(ref: SessionRef, title: string): { scheme: string; path: string } {
  const name =
    title
      .replace(/[\s/\\]+/g, ' ')
      .trim()
      .slice(0, 80) || ref.name;
  return { scheme: LOG_SCHEME, path: artifactUri(ref, `${FOLDER}/${name}.log`).path };
}

/** The session of a log's address; undefined for every other address. */
export function logPlace({ scheme, path }: { scheme: string; path: string }): SessionRef | undefined {
  if (scheme !== LOG_SCHEME) return undefined;
  const place = artifactPlace({ scheme: ARTIFACT_SCHEME, path });
  return place !== undefined && /^[^/]+\/[^/]+\.log$/.test(place.path) && place.path.startsWith(`${FOLDER}/`)
    ? place.ref
    : undefined;
}
