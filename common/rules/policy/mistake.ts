/** How a mistake in a NamespacePolicy is told, and what all its lists have in common. */

export interface PolicyMistake {
  /** In the NamespacePolicy, as `spec.models.allowed[1]`. */
  path: string;
  /** What is wrong, and what would be right. */
  message: string;
  severity: 'error' | 'warning';
}

export const error = (path: string, message: string): PolicyMistake => ({ path, message, severity: 'error' });
export const warning = (path: string, message: string): PolicyMistake => ({
  path,
  message,
  severity: 'warning',
});

/** Of lists of strings: what is there twice, and what no eye sees. */
export function entries(path: string, list: readonly string[] | undefined): PolicyMistake[] {
  const seen = new Map<string, number>();
  return (list ?? []).flatMap((text, index) => {
    const at = `${path}[${index}]`;
    const first = seen.get(text);
    seen.set(text, first ?? index);
    if (/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text))
      return [error(at, 'has a control or invisible character, so it matches nothing. Type it anew.')];
    if (text !== text.trim())
      return [error(at, `"${text}" has a space at its end, so it matches nothing. Remove the space.`)];
    return first === undefined
      ? []
      : [warning(at, `"${text}" stands at [${first}] already. Remove one of the two.`)];
  });
}
