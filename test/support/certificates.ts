/** Certificates for tests that speak TLS: servers' made with the operator's own code, and clients' as a cluster's authority makes them. */
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { makeAuthority, makeLeaf } from '../../operator/serve/tls/authority.ts';
import type { KeyPair } from '../../operator/serve/tls/authority.ts';
import type { Certificates } from '../../operator/serve/http/server.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A serving certificate for 127.0.0.1 that can be exchanged. */
export class TestCertificates implements Certificates {
  readonly #listeners = new Set<() => void>();
  #current: KeyPair;
  ca: string;

  private constructor(authority: KeyPair, leaf: KeyPair) {
    this.#current = leaf;
    this.ca = authority.cert;
  }

  static async make(): Promise<TestCertificates> {
    const authority = await makeAuthority(new Date());
    return new TestCertificates(authority, await makeLeaf(authority, ['127.0.0.1', 'localhost'], new Date()));
  }

  get current(): KeyPair {
    return this.#current;
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** A new authority and a new leaf. */
  async exchange(): Promise<void> {
    const authority = await makeAuthority(new Date());
    this.#current = await makeLeaf(authority, ['127.0.0.1', 'localhost'], new Date());
    this.ca = authority.cert;
    for (const listener of this.#listeners) listener();
  }
}

/** An authority that signs client certificates, as a cluster's front proxy has one. */
export class ClientAuthority {
  readonly cert: string;
  readonly #certificate: x509.X509Certificate;
  readonly #keys: CryptoKeyPair;

  private constructor(certificate: x509.X509Certificate, keys: CryptoKeyPair) {
    this.cert = certificate.toString('pem');
    this.#certificate = certificate;
    this.#keys = keys;
  }

  static async make(name = 'front-proxy-ca'): Promise<ClientAuthority> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      name: `CN=${name}`,
      ...validity(),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    return new ClientAuthority(certificate, keys);
  }

  async client(commonName: string, expired = false): Promise<KeyPair> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const cert = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${commonName}`,
      issuer: this.#certificate.subject,
      ...validity(expired),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
    });
    const key = x509.PemConverter.encode(
      await crypto.subtle.exportKey('pkcs8', keys.privateKey),
      'PRIVATE KEY',
    );
    return { cert: cert.toString('pem'), key };
  }
}

const serial = (): string => `40${randomBytes(8).toString('hex')}`;
const validity = (expired = false): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(Date.now() - 2 * 3600_000),
  notAfter: new Date(Date.now() + (expired ? -3600_000 : 24 * 3600_000)),
});
