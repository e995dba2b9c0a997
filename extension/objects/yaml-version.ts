/** The version in an object's YAML by which applying is measured: what the person has written stays as it is. Heavy to load (YAML). */
import { parseDocument } from 'yaml';
import { rangeOf } from '../ide/yaml-place.ts';

export function withVersion(text: string, resourceVersion: string | undefined): string {
  const document = parseDocument(text);
  const { from, to } = rangeOf(text, ['metadata', 'resourceVersion']);
  const isThere = document.hasIn(['metadata', 'resourceVersion']);
  if (resourceVersion === undefined) return text;
  if (isThere) return `${text.slice(0, from)}"${resourceVersion}"${text.slice(to)}`;
  const metadata = /^metadata:[ \t]*\n/m.exec(text);
  if (metadata === null) return text;
  const at = metadata.index + metadata[0].length;
  return `${text.slice(0, at)}  resourceVersion: "${resourceVersion}"\n${text.slice(at)}`;
}

/** What was deleted is made anew. */
export const withoutVersion = (text: string): string => text.replace(/^ {2}resourceVersion:.*\n/m, '');
