/** Text from clusters and agents made harmless: every place that shows it to a person takes it through here. */
import { oneLine } from '../../common/rules/wording.ts';

/** Characters that turn the direction of what follows, so that a name can read as another one. */
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** One line, no control or direction characters, at most `max` characters. */
export function plain(text: string, max = 200): string {
  const line = oneLine(text.slice(0, max * 4).replace(BIDI, ''));
  return line.length > max ? `${line.slice(0, max - 1).trimEnd()}…` : line;
}

/** For notifications, where VS Code makes links, even command links, of `[text](target)`. */
export const plainMessage = (text: string, max = 600): string => plain(text, max).replaceAll('](', '] (');

/** For Markdown: shown as it is, never as markup, HTML or a link. */
export const markdownText = (text: string, max = 1000): string =>
  plain(text, max)
    .replace(/[\\`*_{}[\]()#+\-!|~]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    // Bare addresses become links unless their marks are written as entities.
    .replaceAll('://', '&#58;//')
    .replaceAll('@', '&#64;')
    .replace(/\bwww\./gi, (www) => `${www.slice(0, 3)}&#46;`)
    // At the start of a line, `1.` would be a list.
    .replace(/^(\d+)\./, '$1&#46;');
