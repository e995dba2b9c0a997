/** Is what lies there what was signed? Every byte is read: what a store says of its objects proves nothing. */
import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Readable } from 'node:stream';
import { differencesOf } from '../../../common/rules/provenance.ts';
import type { Difference, Product, ProvenanceStatement } from '../../../common/rules/provenance.ts';
import { open } from './envelope.ts';

/** What a session has made, wherever it lies. */
export interface Products {
  /** Paths, those below .ambient/ left out. */
  paths(): Promise<string[]>;
  read(path: string): Promise<Readable>;
  /** Undefined when there is none. */
  statement(): Promise<string | undefined>;
}

export type Verdict =
  | { ok: true; statement: ProvenanceStatement; keyId: string }
  /** Why nothing can be said of the artifacts, or how they differ. */
  | { ok: false; problem?: string; differences: Difference[]; statement?: ProvenanceStatement };

/** `uid`: of whom the statement must speak, when that is known. */
export async function verifyProducts(
  products: Products,
  keys: ReadonlyMap<string, KeyObject>,
  uid?: string,
): Promise<Verdict> {
  const text = await products.statement();
  if (text === undefined) return { ok: false, problem: 'there is no signed statement', differences: [] };
  const opened = open(text, keys);
  if (!opened.ok) return { ok: false, problem: opened.problem, differences: [] };
  const { statement, keyId } = opened;
  const about = statement.predicate.runDetails.metadata.invocationId;
  if (uid !== undefined && about !== uid)
    return { ok: false, problem: `the statement is about another session: ${about}`, differences: [] };
  const found: Product[] = [];
  for (const path of await products.paths()) {
    const hash = createHash('sha256');
    for await (const chunk of await products.read(path)) hash.update(chunk as Buffer);
    found.push({ path, digest: `sha256:${hash.digest('hex')}` });
  }
  const differences = differencesOf(statement, found);
  return differences.length === 0 ? { ok: true, statement, keyId } : { ok: false, differences, statement };
}
