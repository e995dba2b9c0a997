/** Kubeconfig files with everything in them, for people, tests and the cluster's own components. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** User name in the file → name of the certificate. */
const files = ['admin', 'controller-manager', 'scheduler', 'kubelet', 'proxy', 'coredns'] as const;

export function kubeconfigPath(stateDir: string, who: (typeof files)[number]): string {
  return path.join(stateDir, `${who}.kubeconfig`);
}

/** Writes `<who>.kubeconfig` for each; clusters, contexts and users are named after the cluster. */
export async function writeKubeconfigs(stateDir: string, name: string, server: string): Promise<void> {
  const pki = path.join(stateDir, 'pki');
  const base64 = async (file: string): Promise<string> =>
    (await readFile(path.join(pki, file))).toString('base64');
  const ca = await base64('ca.crt');
  const label = `ambient-${name}`;
  for (const who of files) {
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': label,
      clusters: [{ name: label, cluster: { server, 'certificate-authority-data': ca } }],
      contexts: [{ name: label, context: { cluster: label, user: label } }],
      users: [
        {
          name: label,
          user: {
            'client-certificate-data': await base64(`${who}.crt`),
            'client-key-data': await base64(`${who}.key`),
          },
        },
      ],
    };
    // JSON is YAML, and needs no library to be written right.
    await writeFile(kubeconfigPath(stateDir, who), JSON.stringify(config, undefined, 2), { mode: 0o600 });
  }
}
