/** Namespaces the person has pinned: `namespace` in every cluster shown, or `context/namespace` in one. */

/** The pinned namespaces of one context, in the order of the setting. A context's name may hold slashes, a namespace not. */
export function pinnedIn(pinned: readonly string[], context: string): string[] {
  const names = pinned.flatMap((entry) => {
    const slash = entry.lastIndexOf('/');
    if (slash < 0) return [entry];
    return entry.slice(0, slash) === context ? [entry.slice(slash + 1)] : [];
  });
  return [...new Set(names)].filter(isNamespaceName);
}

export const isPinned = (pinned: readonly string[], context: string, namespace: string): boolean =>
  pinnedIn(pinned, context).includes(namespace);

export const pin = (pinned: readonly string[], context: string, namespace: string): string[] =>
  isPinned(pinned, context, namespace) ? [...pinned] : [...pinned, `${context}/${namespace}`];

export const unpin = (pinned: readonly string[], context: string, namespace: string): string[] =>
  pinned.filter((entry) => entry !== namespace && entry !== `${context}/${namespace}`);

/** RFC 1123 label, as the API server demands of namespaces. */
export const isNamespaceName = (text: string): boolean => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text);
