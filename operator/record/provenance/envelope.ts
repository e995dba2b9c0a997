/** Statements in signed envelopes, one line of JSON: DSSE with Ed25519, whose signature of the same bytes is always the same. */
import { createHash, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { AmbientError } from '../../../common/errors.ts';
import {
  PAYLOAD_TYPE,
  PREDICATE_TYPE,
  preAuthEncoding,
  STATEMENT_TYPE,
} from '../../../common/rules/provenance.ts';
import type { ProvenanceStatement } from '../../../common/rules/provenance.ts';

const Envelope = Type.Object({
  payloadType: Type.Literal(PAYLOAD_TYPE),
  payload: Type.String(),
  signatures: Type.Array(Type.Object({ keyid: Type.String(), sig: Type.String() }), { minItems: 1 }),
});
const envelopes = Compile(Envelope);
const statements = Compile(
  Type.Object({
    _type: Type.Literal(STATEMENT_TYPE),
    predicateType: Type.Literal(PREDICATE_TYPE),
    subject: Type.Array(Type.Object({ name: Type.String(), digest: Type.Object({ sha256: Type.String() }) })),
  }),
);

/** Of the key itself, so that nobody can give a key the name of another. */
export const keyIdOf = (key: KeyObject): string =>
  createHash('sha256')
    .update((key.type === 'public' ? key : createPublicKey(key)).export({ type: 'spki', format: 'der' }))
    .digest('hex');

export function seal(statement: ProvenanceStatement, privateKey: KeyObject): string {
  const payload = JSON.stringify(statement);
  const sig = sign(null, Buffer.from(preAuthEncoding(payload)), privateKey).toString('base64');
  const keyid = keyIdOf(privateKey);
  return `${JSON.stringify({
    payloadType: PAYLOAD_TYPE,
    payload: Buffer.from(payload).toString('base64'),
    signatures: [{ keyid, sig }],
  })}\n`;
}

export type Opened =
  { ok: true; statement: ProvenanceStatement; keyId: string } | { ok: false; problem: string };

/** `keys` are those that were published, by id. */
export function open(text: string, keys: ReadonlyMap<string, KeyObject>): Opened {
  const problem = (what: string): Opened => ({ ok: false, problem: what });
  const lines = text.split('\n').filter((line) => line !== '');
  const envelope = parsed(lines[0] ?? '');
  if (lines.length !== 1 || !envelopes.Check(envelope)) return problem('it is not a signed statement');
  const payload = Buffer.from(envelope.payload, 'base64').toString('utf8');
  const signature = envelope.signatures.find(({ keyid }) => keys.has(keyid));
  const key = keys.get(signature?.keyid ?? '');
  if (signature === undefined || key === undefined)
    return problem(`it is signed with a key that was not published: ${envelope.signatures[0]?.keyid ?? ''}`);
  if (!verify(null, Buffer.from(preAuthEncoding(payload)), key, Buffer.from(signature.sig, 'base64')))
    return problem('the statement was changed: its signature does not fit');
  const statement = parsed(payload);
  if (!statements.Check(statement)) return problem('it states no provenance');
  return { ok: true, statement: statement as ProvenanceStatement, keyId: signature.keyid };
}

/** Keys of the ConfigMap's data: any name, PEM. Throws invalid_request. */
export function keysOf(data: Readonly<Record<string, unknown>>): Map<string, KeyObject> {
  const keys = new Map<string, KeyObject>();
  for (const [name, pem] of Object.entries(data)) {
    try {
      const key = createPublicKey(String(pem));
      keys.set(keyIdOf(key), key);
    } catch (cause) {
      throw new AmbientError('invalid_request', `${JSON.stringify(name)} is not a public key`, { cause });
    }
  }
  return keys;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
