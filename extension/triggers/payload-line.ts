/** The line of an event's document that says where the whole payload is, and where in the document it says so. Pure. */

/** @param artifact its path */
export const payloadLine = (size: string, artifact: string): string =>
  `What is long of it is cut here; the whole, ${size}, is the artifact ${artifact}.`;

/** Stands before anything of the payload itself, whose lines begin otherwise. */
const LINE = /^\/\/ What is long of it is cut here; the whole, [^,]*, is the artifact (?<path>.+)\.$/dm;

export function payloadPlace(document: string): { path: string; from: number; to: number } | undefined {
  const { groups, indices } = LINE.exec(document) ?? {};
  const [from, to] = indices?.groups?.['path'] ?? [];
  const path = groups?.['path'];
  return path === undefined || from === undefined || to === undefined ? undefined : { path, from, to };
}
