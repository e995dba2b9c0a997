/** Text of agents as one can safely read it: terminal codes gone, every invisible or misleading character marked. */

/** ECMA-48 sequences that are complete; one that never ends must not swallow what follows it. */
const SEQUENCES =
  /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|\x1b[ -/]+[0-~]|\x1b[0-Z\\`-~]/g;

/** Controls but tab and line feed, C1, direction changes, invisible spaces, odd line ends, tag characters, lone surrogates. */
const MARKED =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

const NAMES: Readonly<Record<number, string>> = {
  0x00: 'NUL',
  0x07: 'BEL',
  0x08: 'BS',
  0x0d: 'CR',
  0x1b: 'ESC',
  0x7f: 'DEL',
  0xad: 'SHY',
  0x61c: 'ALM',
  0x200b: 'ZWSP',
  0x200e: 'LRM',
  0x200f: 'RLM',
  0x2028: 'LS',
  0x2029: 'PS',
  0x202a: 'LRE',
  0x202b: 'RLE',
  0x202c: 'PDF',
  0x202d: 'LRO',
  0x202e: 'RLO',
  0x2060: 'WJ',
  0x2066: 'LRI',
  0x2067: 'RLI',
  0x2068: 'FSI',
  0x2069: 'PDI',
  0xfeff: 'BOM',
};

/** A piece of ordinary text, or the name of a character that stands at its place. */
export type Piece = { text: string } | { mark: string };

export const withoutSequences = (text: string): string =>
  text.includes('\x1b') ? text.replace(SEQUENCES, '') : text;

const nameOf = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  return NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
};

/** In order; of binary data, runs of marks become one piece so that a page does not drown in elements. */
export function piecesOf(text: string): Piece[] {
  const clean = withoutSequences(text);
  const pieces: Piece[] = [];
  let from = 0;
  for (const { 0: character, index } of clean.matchAll(MARKED)) {
    if (index > from) pieces.push({ text: clean.slice(from, index) });
    const last = pieces.at(-1);
    const name = nameOf(character);
    if (index === from && last !== undefined && 'mark' in last && last.mark.length < 60)
      last.mark += ` ${name}`;
    else pieces.push({ mark: name });
    from = index + character.length;
  }
  if (from < clean.length) pieces.push({ text: clean.slice(from) });
  return pieces;
}

/** As one string, for attributes and tab stops. */
export const visible = (text: string): string =>
  piecesOf(text)
    .map((piece) => ('text' in piece ? piece.text : `⟨${piece.mark}⟩`))
    .join('');

/** At most `max` UTF-16 units, never half of a surrogate pair. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max);
}
