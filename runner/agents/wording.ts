/** How calls of tools are told in one line. */
import { relative, isAbsolute } from 'node:path';
import type { JsonObject } from './json.ts';

const SUMMARY_MAX = 2000;
/** The settings by which tools commonly say what they are about, the telling ones first. */
const TELLING = [
  'command',
  'cmd',
  'file_path',
  'path',
  'notebook_path',
  'pattern',
  'url',
  'query',
  'description',
];

export function callText(input: JsonObject, workspace: string): string {
  for (const name of TELLING) {
    const value = Object.hasOwn(input, name) ? input[name] : undefined;
    if (typeof value === 'string' && value !== '')
      return (name.endsWith('path') ? shortPath(value, workspace) : value).slice(0, SUMMARY_MAX);
  }
  return Object.keys(input).length === 0 ? '' : JSON.stringify(input).slice(0, SUMMARY_MAX);
}

/** A path below the workspace without it. */
export function shortPath(path: string, workspace: string): string {
  if (!isAbsolute(path)) return path;
  const short = relative(workspace, path);
  return short === '' || short.startsWith('..') ? path : short;
}
