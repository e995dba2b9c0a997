/** The certificates of one cluster: an authority made with it, and a leaf for each who speaks or listens. */
import 'reflect-metadata';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const yearMs = 365 * 24 * 3600 * 1000;

interface Leaf {
  readonly subject: string;
  readonly addresses?: readonly string[];
  readonly names?: readonly string[];
}

/** Who gets a certificate. The groups and names are those that Kubernetes' bootstrap roles are bound to. */
function leaves(addresses: readonly string[], nodeName: string): Record<string, Leaf> {
  return {
    apiserver: {
      subject: 'CN=kube-apiserver',
      addresses,
      names: ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
    },
    admin: { subject: 'O=system:masters, CN=admin' },
    'apiserver-kubelet-client': { subject: 'O=system:masters, CN=kube-apiserver-kubelet-client' },
    'controller-manager': { subject: 'CN=system:kube-controller-manager' },
    scheduler: { subject: 'CN=system:kube-scheduler' },
    proxy: { subject: 'CN=system:kube-proxy' },
    coredns: { subject: 'CN=system:coredns' },
    kubelet: { subject: `O=system:nodes, CN=system:node:${nodeName}`, addresses, names: [nodeName] },
    'front-proxy': { subject: 'CN=front-proxy-client' },
  };
}

/** Writes `ca.crt`, `ca.key`, the pair `sa.key` and `sa.pub` that signs service account tokens, and a `.crt` and `.key` for each leaf into the folder. */
export async function writeCertificates(
  folder: string,
  addresses: readonly string[],
  nodeName: string,
  now: Date,
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // The machine's clock may be set back a little between runs.
  const validity = {
    notBefore: new Date(now.getTime() - 24 * 3600 * 1000),
    notAfter: new Date(now.getTime() + 10 * yearMs),
  };
  const authorityKeys = await generateKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=cluster-ca',
    ...validity,
    signingAlgorithm: algorithm,
    keys: authorityKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
    ],
  });
  await writeFile(path.join(folder, 'ca.crt'), authority.toString('pem'));
  await writeKey(path.join(folder, 'ca.key'), authorityKeys.privateKey);
  const accountKeys = await generateKeys();
  await writeKey(path.join(folder, 'sa.key'), accountKeys.privateKey);
  const accountKey = await crypto.subtle.exportKey('spki', accountKeys.publicKey);
  await writeFile(path.join(folder, 'sa.pub'), x509.PemConverter.encode(accountKey, 'PUBLIC KEY'));
  await Promise.all(
    Object.entries(leaves(addresses, nodeName)).map(async ([name, leaf], index) => {
      const keys = await generateKeys();
      const alternatives = [
        ...(leaf.addresses ?? []).map((value) => ({ type: 'ip', value }) as const),
        ...(leaf.names ?? []).map((value) => ({ type: 'dns', value }) as const),
      ];
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: (index + 16).toString(16),
        subject: leaf.subject,
        issuer: authority.subject,
        ...validity,
        signingAlgorithm: algorithm,
        publicKey: keys.publicKey,
        signingKey: authorityKeys.privateKey,
        extensions: [
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([
            x509.ExtendedKeyUsage.serverAuth,
            x509.ExtendedKeyUsage.clientAuth,
          ]),
          ...(alternatives.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternatives)] : []),
        ],
      });
      await writeFile(path.join(folder, `${name}.crt`), certificate.toString('pem'));
      await writeKey(path.join(folder, `${name}.key`), keys.privateKey);
    }),
  );
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function writeKey(file: string, key: CryptoKey): Promise<void> {
  const bytes = await crypto.subtle.exportKey('pkcs8', key);
  await writeFile(file, x509.PemConverter.encode(bytes, 'PRIVATE KEY'), { mode: 0o600 });
}
