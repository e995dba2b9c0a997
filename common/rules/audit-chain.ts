/**
 * A chain of audit records: how a record becomes a link, and what a chain must look like when nobody has meddled with it.
 * A stored line is the canonical JSON of its record, so that no byte of it can change without showing.
 */
import type { AuditEvent, AuditRecord } from '../api/audit.ts';

/** SHA-256 of the text's UTF-8 bytes, in hexadecimal. */
export type Hash = (text: string) => string;

export const FIRST_PREVIOUS = '0'.repeat(64);

/** Where a chain stands: its newest record. */
export interface ChainHead {
  seq: number;
  hash: string;
}

export interface Link {
  record: AuditRecord;
  /** As it is stored, without the line break. */
  line: string;
}

/** JSON with the keys of every object in order and nothing between tokens: equal values are equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((each) => canonicalJson(each ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const object = value as Record<string, unknown>;
  const members = Object.keys(object)
    .filter((key) => object[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key])}`);
  return `{${members.join(',')}}`;
}

/** The next record of a chain; `before` is undefined for its first. */
export function nextLink(
  event: AuditEvent,
  at: { writer: string; timestamp: string; before: ChainHead | undefined },
  hash: Hash,
): Link {
  const unsealed = {
    ...event,
    writer: at.writer,
    timestamp: at.timestamp,
    seq: (at.before?.seq ?? 0) + 1,
    previous: at.before?.hash ?? FIRST_PREVIOUS,
  };
  const record = { ...unsealed, hash: hash(canonicalJson(unsealed)) };
  return { record, line: canonicalJson(record) };
}

export const TAMPERINGS = ['edited', 'removed', 'reordered', 'inserted', 'truncated'] as const;
export type Tampering = (typeof TAMPERINGS)[number];

export type Verdict =
  | { ok: true; records: number; first: AuditRecord | undefined; last: AuditRecord | undefined }
  | { ok: false; seq: number; tampering: Tampering; message: string };

export interface ChainExpectation {
  namespace: string;
  writer: string;
  /** What was published or recorded elsewhere of this chain: it must contain each of these records. */
  heads?: readonly ChainHead[];
  /** Through which records it was trimmed by retention, each trim recorded; it may begin anywhere up to the next one. */
  trims?: readonly ChainHead[];
}

/** Takes a chain line by line; after the first broken record it reads on only to tell what has happened. */
export class ChainVerifier {
  readonly #expected: ChainExpectation;
  readonly #hash: Hash;
  readonly #trims: readonly ChainHead[];
  readonly #heads: readonly ChainHead[];
  /** Hashes of the records that heads and trims name. */
  readonly #noted = new Map<number, string>();
  #first: AuditRecord | undefined;
  #last: AuditRecord | undefined;
  #records = 0;
  #broken: { seq: number; tampering: Tampering; message: string } | undefined;
  /** A record of this number would show that records have changed places. */
  #missing: number | undefined;

  constructor(expected: ChainExpectation, hash: Hash) {
    this.#expected = expected;
    this.#hash = hash;
    this.#trims = expected.trims ?? [];
    this.#heads = expected.heads ?? [];
    for (const { seq } of [...this.#trims, ...this.#heads]) this.#noted.set(seq, '');
  }

  /** Number of the record that is to come. */
  get next(): number {
    return (this.#last?.seq ?? 0) + 1;
  }

  add(line: string): void {
    if (this.#broken !== undefined) {
      this.#lookForMissing(line);
      return;
    }
    const next = this.#last === undefined ? undefined : this.#last.seq + 1;
    const record = parseLine(line);
    if (record === undefined || this.#hashOf(record) !== record.hash) {
      // Of a chain that was never trimmed the first record is number 1, whatever a changed line says.
      const seq = next ?? (this.#trims.length === 0 ? 1 : (numberIn(record) ?? 1));
      this.#break(seq, 'edited', `record ${seq} is not what was written: its hash does not fit its content`);
      return;
    }
    const { namespace, writer } = this.#expected;
    if (record.namespace !== namespace || record.writer !== writer) {
      const message = `record ${record.seq} belongs to the chain of ${record.writer} in ${record.namespace}`;
      this.#break(next ?? record.seq, 'inserted', message);
    } else if (next !== undefined && record.seq > next) {
      this.#missing = next;
      this.#break(next, 'removed', `record ${next} is missing: after ${next - 1} comes ${record.seq}`);
    } else if (next !== undefined && record.seq < next) {
      this.#break(record.seq, 'inserted', `after record ${next - 1} comes a record ${record.seq} once more`);
    } else if (this.#last !== undefined && record.previous !== this.#last.hash) {
      const message = `record ${this.#last.seq} is not the one that record ${record.seq} was linked to: one of them was replaced`;
      this.#break(this.#last.seq, 'edited', message);
    } else this.#take(record);
  }

  end(): Verdict {
    this.#checkStart();
    for (const head of this.#heads) this.#checkHead(head);
    return this.#broken === undefined
      ? { ok: true, records: this.#records, first: this.#first, last: this.#last }
      : { ok: false, ...this.#broken };
  }

  #take(record: AuditRecord): void {
    this.#first ??= record;
    this.#last = record;
    this.#records++;
    if (this.#noted.has(record.seq)) this.#noted.set(record.seq, record.hash);
  }

  #checkStart(): void {
    const first = this.#first;
    if (first === undefined || this.#broken !== undefined) return;
    if (first.seq === 1) {
      if (first.previous !== FIRST_PREVIOUS)
        this.#break(1, 'removed', 'record 1 is linked to a record before it');
      return;
    }
    const isTrimmed = this.#trims.some(({ seq, hash }) =>
      seq === first.seq - 1 ? hash === first.previous : seq >= first.seq && this.#noted.get(seq) === hash,
    );
    if (!isTrimmed)
      this.#break(
        1,
        'removed',
        `the chain begins with record ${first.seq}, and no trim of those before it was recorded`,
      );
  }

  #checkHead({ seq, hash }: ChainHead): void {
    if (this.#broken !== undefined || (this.#first !== undefined && seq < this.#first.seq)) return;
    const last = this.#last?.seq ?? 0;
    if (seq > last) {
      const message = `the chain ends with record ${last}, but record ${seq} was published`;
      this.#break(last + 1, 'truncated', message);
    } else if (this.#noted.get(seq) !== hash)
      this.#break(seq, 'edited', `record ${seq} is not the one that was published`);
  }

  #lookForMissing(line: string): void {
    if (this.#missing === undefined || numberIn(parseLine(line)) !== this.#missing) return;
    const message = `record ${this.#missing} does not stand in its place: records have changed their order`;
    this.#broken = { seq: this.#missing, tampering: 'reordered', message };
    this.#missing = undefined;
  }

  #hashOf({ hash: _, ...unsealed }: AuditRecord): string {
    return this.#hash(canonicalJson(unsealed));
  }

  #break(seq: number, tampering: Tampering, message: string): void {
    this.#broken ??= { seq, tampering, message };
  }
}

/** A whole chain at once. */
export function verifyChain(lines: Iterable<string>, expected: ChainExpectation, hash: Hash): Verdict {
  const verifier = new ChainVerifier(expected, hash);
  for (const line of lines) verifier.add(line);
  return verifier.end();
}

/** Undefined for a line that is not canonical JSON of something like a record. */
function parseLine(line: string): AuditRecord | undefined {
  try {
    const value = JSON.parse(line) as AuditRecord;
    const isRecord =
      typeof value === 'object' &&
      value !== null &&
      Number.isSafeInteger(value.seq) &&
      value.seq >= 1 &&
      canonicalJson(value) === line;
    return isRecord ? value : undefined;
  } catch {
    return undefined;
  }
}

const numberIn = (record: AuditRecord | undefined): number | undefined => record?.seq;
