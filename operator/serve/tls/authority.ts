/** The operator's own certificates: an authority of ten years, leaves of ninety days, ECDSA P-256. Nothing here does I/O. */
import 'reflect-metadata';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

/** PEM */
export interface KeyPair {
  cert: string;
  key: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
export const AUTHORITY_DAYS = 3650;
export const LEAF_DAYS = 90;
/** Clocks of others may be behind. */
const BACKDATED_MS = HOUR_MS;

export async function makeAuthority(now: Date): Promise<KeyPair> {
  const keys = await generateKeys();
  const serialNumber = newSerial();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber,
    // Authorities that follow one another must not bear the same name.
    name: `CN=ambient-operator-ca-${serialNumber.slice(0, 8)}`,
    ...validity(now, AUTHORITY_DAYS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: cert.toString('pem'), key: await pemOf(keys.privateKey) };
}

/** A certificate for a server with these DNS names and IP addresses. */
export async function makeLeaf(authority: KeyPair, names: readonly string[], now: Date): Promise<KeyPair> {
  const keys = await generateKeys();
  const issuer = new x509.X509Certificate(authority.cert);
  const signingKey = await crypto.subtle.importKey(
    'pkcs8',
    x509.PemConverter.decodeFirst(authority.key),
    ALGORITHM,
    false,
    ['sign'],
  );
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: 'CN=ambient-operator',
    issuer: issuer.subject,
    ...validity(now, LEAF_DAYS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return { cert: cert.toString('pem'), key: await pemOf(keys.privateKey) };
}

export interface CertificateFacts {
  notBefore: Date;
  notAfter: Date;
  /** DNS names and IP addresses. */
  names: string[];
}

/** Throws for what is no certificate. */
export function factsOf(pem: string): CertificateFacts {
  const { notBefore, notAfter, extensions } = new x509.X509Certificate(pem);
  const alternatives = extensions.find((each) => each instanceof x509.SubjectAlternativeNameExtension);
  return { notBefore, notAfter, names: alternatives?.names.items.map(({ value }) => value) ?? [] };
}

/** Whether two thirds of its life are over: time to make the next one. */
export function isDue({ notBefore, notAfter }: CertificateFacts, now: Date): boolean {
  const life = notAfter.getTime() - notBefore.getTime();
  return now.getTime() >= notBefore.getTime() + (life * 2) / 3;
}

/** Throws unless the authority signed the leaf. */
export async function checkSignature(leaf: string, authority: string): Promise<void> {
  const { publicKey } = new x509.X509Certificate(authority);
  if (!(await new x509.X509Certificate(leaf).verify({ publicKey, signatureOnly: true }))) {
    throw new Error('the certificate was not signed by the authority beside it');
  }
}

/** The certificates of a bundle, one PEM each. */
export const splitPem = (bundle: string): string[] =>
  x509.PemConverter.decode(bundle).map((der) => x509.PemConverter.encode(der, 'CERTIFICATE'));

export const joinPem = (certificates: readonly string[]): string =>
  certificates.map((pem) => `${pem.trim()}\n`).join('');

const validity = (now: Date, days: number): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(now.getTime() - BACKDATED_MS),
  notAfter: new Date(now.getTime() + days * DAY_MS),
});

const generateKeys = (): Promise<CryptoKeyPair> =>
  crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

const pemOf = async (key: CryptoKey): Promise<string> =>
  `${x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;

/** 127 random bits, positive (RFC 5280 §4.1.2.2). */
function newSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}
