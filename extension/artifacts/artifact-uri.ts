/** `ambient:/<context>/<namespace>/<session>[@<uid>]/<artifact path>`: what documents, pictures and tabs of artifacts are called. */
import type { SessionRef } from '../sessions/session-ref.ts';

export const ARTIFACT_SCHEME = 'ambient';

export interface ArtifactPlace {
  ref: SessionRef;
  /** As in Artifact.path; '' is the root of the session's artifacts. */
  path: string;
}

/** What vscode.Uri.from takes. The artifact's path stands last and unescaped, so that relative links and languages work. */
export function artifactUri(ref: SessionRef, path = ''): { scheme: string; path: string } {
  const session =
    escapeSegment(ref.name) + (ref.uid === undefined || ref.uid === '' ? '' : `@${escapeSegment(ref.uid)}`);
  const segments = [escapeSegment(ref.cluster), escapeSegment(ref.namespace), session];
  return { scheme: ARTIFACT_SCHEME, path: `/${segments.join('/')}${path === '' ? '' : `/${path}`}` };
}

/** The other way; undefined when it is no address of a session's artifacts. */
export function artifactPlace(uri: { scheme: string; path: string }): ArtifactPlace | undefined {
  if (uri.scheme !== ARTIFACT_SCHEME || !uri.path.startsWith('/')) return undefined;
  const [contextPart = '', namespacePart = '', sessionPart = '', ...rest] = uri.path.slice(1).split('/');
  const [namePart = '', uidPart, ...more] = sessionPart.split('@');
  const [cluster, namespace, name] = [contextPart, namespacePart, namePart].map(unescapeSegment);
  const uid = uidPart === undefined ? undefined : unescapeSegment(uidPart);
  if (cluster === undefined || !namespace || !name || more.length > 0 || (uidPart !== undefined && !uid))
    return undefined;
  const path = rest.join('/').replace(/\/$/, '');
  return { ref: { cluster, namespace, name, ...(uid === undefined ? {} : { uid }) }, path };
}

/**
 * Contexts may be called anything, `arn:aws:eks:…:cluster/x` for example. Escaped by `~` and hex, since a `%` in a path
 * would be escaped again on its way into a webview, and an authority would lose its upper case.
 */
function escapeSegment(text: string): string {
  if (text === '') return '~';
  const dots = text === '.' || text === '..';
  return Array.from(Buffer.from(text, 'utf8'), (byte) => {
    const character = String.fromCharCode(byte);
    const isPlain = /[A-Za-z0-9_-]/.test(character) || (character === '.' && !dots);
    return isPlain ? character : `~${byte.toString(16).padStart(2, '0')}`;
  }).join('');
}

function unescapeSegment(text: string): string | undefined {
  if (text === '~') return '';
  if (!/^(?:[A-Za-z0-9_.-]|~[0-9a-f]{2})+$/.test(text)) return undefined;
  const bytes = text.replace(/~(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
