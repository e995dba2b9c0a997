/** Globs of model and tool names: `*` is any run of characters, also none; everything else is itself. Case counts. */

/** Linear in `name` times the number of stars, never exponential: patterns come from tenants. */
export function matchesGlob(pattern: string, name: string): boolean {
  const star = pattern.indexOf('*');
  if (star === -1) return name === pattern;
  if (!name.startsWith(pattern.slice(0, star))) return false;
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop() ?? '';
  if (name.length < first.length + last.length || !name.endsWith(last)) return false;
  const end = name.length - last.length;
  let from = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, from);
    if (found === -1 || found + part.length > end) return false;
    from = found + part.length;
  }
  return from <= end;
}

export const matchesAny = (patterns: readonly string[], name: string): boolean =>
  patterns.some((pattern) => matchesGlob(pattern, name));

/**
 * Whether every name that `inner` matches is matched by `outer`. A star of `inner` can stand for anything, so only a star
 * of `outer` covers it: `outer` must match `inner` with its stars taken as characters that appear in no name.
 */
export const coversGlob = (outer: string, inner: string): boolean =>
  matchesGlob(outer, inner.includes('*') ? inner.replaceAll('*', '\u0000') : inner);
