/** Text of agents as one can safely read it: colour codes gone, every other invisible or misleading character visible. */

/** ECMA-48 sequences that are complete; one that never ends must not swallow what follows it. */
const SEQUENCES =
  /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]+[0-~]|\x1b[0-Z\\`-~]/g;

/**
 * Controls but tab, C1 controls, direction changes, line ends that editors do not count as such, and tag characters, with
 * which text can be smuggled past the eye.
 */
const UNSEEN =
  /[\0-\x08\n-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\udb40[\udc00-\udc7f]/g;

const pictured = (found: string): string => {
  const code = found.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
};

/** Colour codes, cursor moves, window titles and links of terminals removed. */
export const withoutSequences = (text: string): string =>
  text.includes('\x1b') ? text.replace(SEQUENCES, '') : text;

/** One line: whatever is no printable character (tabs are) is shown as a symbol. */
export const visible = (text: string): string => withoutSequences(text).replace(UNSEEN, pictured);

/** At most `max` UTF-16 units, never half of a surrogate pair. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max);
}
