/** Where a field stands in a YAML text. Pure, but heavy to load (YAML): `await import` it. */
import { isMap, isPair, isScalar, isSeq, parseDocument } from 'yaml';

export type YamlPath = readonly (string | number)[];

/** Where a path's field, or the deepest part of it that is there, stands in the text. */
export function rangeOf(text: string, path: YamlPath): { from: number; to: number } {
  const document = parseDocument(text);
  let node: unknown = document.contents;
  let range = { from: 0, to: Math.max(1, text.indexOf('\n')) };
  for (const step of path) {
    const next: unknown = isMap(node)
      ? node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      : isSeq(node)
        ? node.items[Number(step)]
        : undefined;
    if (next === undefined) break;
    const shown = isPair(next) ? (isScalar(next.value) ? next.value : next.key) : next;
    const found = isScalar(shown) || isMap(shown) || isSeq(shown) ? shown.range : undefined;
    if (found) range = { from: found[0], to: found[1] };
    node = isPair(next) ? next.value : next;
  }
  return range;
}

/** `spec.models.budget.monthly`, `spec.tools.allowed[0]`, as the API server names fields. */
export const pathOfField = (field: string): (string | number)[] =>
  field
    .split(/[.[\]]+/)
    .filter((step) => step !== '')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
