/** Names of files as git writes them in patches: bare, or quoted like strings in C with bytes in octal. */

/** Of a `--- `, `+++ ` or `rename from ` line; undefined is /dev/null. A tab ends a bare name: git adds one after blanks, diff a date. */
export function lineName(text: string): string | undefined {
  const quoted = text.startsWith('"') ? readQuoted(text) : undefined;
  const bytes = quoted?.bytes ?? text.replace(/\t.*$/s, '');
  return bytes === '/dev/null' ? undefined : decode(bytes);
}

/**
 * Both names of a `diff --git ` line without a/ and b/; undefined when that cannot be told, as of renames, whose names
 * follow on lines of their own. Bare names may hold blanks, yet both halves name the same file.
 */
export function headerNames(text: string): { old: string; new: string } | undefined {
  let old: string;
  let fresh: string;
  const quoted = text.startsWith('"') ? readQuoted(text) : undefined;
  if (quoted !== undefined) {
    old = quoted.bytes;
    const rest = text.slice(quoted.length + 1);
    fresh = rest.startsWith('"') ? (readQuoted(rest)?.bytes ?? '') : rest;
  } else {
    const middle = (text.length - 1) / 2;
    if (!Number.isInteger(middle) || text[middle] !== ' ') return undefined;
    old = text.slice(0, middle);
    fresh = text.slice(middle + 1);
  }
  // `diff.noprefix`: the same name twice. Else one letter each: a and b, or i and w and others of diff.mnemonicPrefix.
  if (old === fresh) return { old: decode(old), new: decode(fresh) };
  const isPrefixed = /^[a-z0-9]\/./s.test(old) && /^[a-z0-9]\/./s.test(fresh);
  if (!isPrefixed || old.slice(2) !== fresh.slice(2)) return undefined;
  return { old: decode(old.slice(2)), new: decode(fresh.slice(2)) };
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** A string in quotes at the start of `text`: its bytes, and how many characters it takes. */
function readQuoted(text: string): { bytes: string; length: number } | undefined {
  const match = /^"((?:[^"\\]|\\[^])*)"/.exec(text);
  if (match?.[1] === undefined) return undefined;
  const bytes = match[1].replace(/\\([0-7]{3}|[^])/g, (_, escape: string) =>
    escape.length === 3 ? String.fromCharCode(parseInt(escape, 8) & 0xff) : (ESCAPES[escape] ?? escape),
  );
  return { bytes, length: match[0].length };
}

/** Names are UTF-8 to us, as to the editor; what is not shows as replacement characters, and is refused as unsafe. */
const decode = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');
