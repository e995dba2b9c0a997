/** An argument list as one line of text: blanks separate, quotes and backslashes keep together. No shell is meant by it. */

export type Words = { ok: true; value: string[] } | { ok: false; problem: string };

/** The reverse of joinWords; understands what people type for a POSIX shell, without variables, globs or operators. */
export function splitWords(text: string): Words {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else if (quote === '"' && character === '\\' && /["\\$`]/.test(text.charAt(index + 1)))
        word = (word ?? '') + text.charAt((index += 1));
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (character === '\\') {
      if (index + 1 >= text.length)
        return { ok: false, problem: 'A backslash at the end stands before nothing.' };
      word = (word ?? '') + text.charAt((index += 1));
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (quote !== undefined) return { ok: false, problem: `The quote ${quote} is not closed.` };
  if (word !== undefined) words.push(word);
  return { ok: true, value: words };
}

export const joinWords = (words: readonly string[]): string =>
  words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
