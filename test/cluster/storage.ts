/** Volumes on the node for claims: the default StorageClass, and small ones that fill up on purpose. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Api } from './api.ts';
import { nodeFiles, nodeName, runInNode } from './node.ts';

/** Claims that name no class get this one. */
export const defaultStorageClass = 'standard';

/** How many claims of the default class a cluster can hold; a volume is not used a second time. */
const volumeCount = 16;

export async function applyStorage(api: Api, stateDir: string): Promise<void> {
  await applyClass(api, defaultStorageClass, true);
  await Promise.all(
    Array.from({ length: volumeCount }, (_, index) => `standard-${index}`).map(async (name) => {
      const folder = path.join(nodeFiles(stateDir).volumes, name);
      await mkdir(folder, { recursive: true });
      await applyVolume(api, name, defaultStorageClass, folder, '100Gi');
    }),
  );
}

/**
 * Makes a volume of `mebibytes` and a StorageClass of the same name, for one claim. Writing more fails with ENOSPC, as
 * on a full disk.
 */
export async function addSmallVolume(
  api: Api,
  stateDir: string,
  name: string,
  mebibytes: number,
): Promise<void> {
  const folder = path.join(nodeFiles(stateDir).volumes, name);
  await mkdir(folder, { recursive: true });
  await runInNode(stateDir, ['mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=755`, 'tmpfs', folder]);
  await applyClass(api, name, false);
  await applyVolume(api, name, name, folder, `${mebibytes}Mi`);
}

async function applyClass(api: Api, name: string, isDefault: boolean): Promise<void> {
  await api.apply(`/apis/storage.k8s.io/v1/storageclasses/${name}`, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: {
      name,
      annotations: { 'storageclass.kubernetes.io/is-default-class': String(isDefault) },
    },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
}

/** `local` and not `hostPath`: only for the former does kubelet give the files to the pod's fsGroup. */
async function applyVolume(
  api: Api,
  name: string,
  storageClass: string,
  folder: string,
  size: string,
): Promise<void> {
  await api.apply(`/api/v1/persistentvolumes/${name}`, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      storageClassName: storageClass,
      capacity: { storage: size },
      accessModes: ['ReadWriteOnce', 'ReadWriteMany'],
      persistentVolumeReclaimPolicy: 'Retain',
      local: { path: folder },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [nodeName] }] },
          ],
        },
      },
    },
  });
}
