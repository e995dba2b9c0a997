/**
 * Secrets of tenants, one key at a time. The operator has no right to read any: a tenant grants it for the Secret that a
 * webhook names (manifests/samples/tenant/notifications.yaml). Values go into requests and nowhere else.
 */
import type { KubeClient } from '../../../common/kube/client.ts';
import { isForbidden, isNotFound } from '../../../common/kube/errors.ts';
import { secrets } from '../../../common/kube/resource.ts';
import type { SecretReference } from './placeholders.ts';

/** Its message is for the tenant, and has nothing of a value in it. */
export class SecretProblem extends Error {
  override readonly name = 'SecretProblem';
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const KEY = /^[-._a-zA-Z0-9]{1,253}$/;

/** Bytes of one key. Throws SecretProblem, and KubeError when the API server does not answer. */
export async function readSecret(
  client: Pick<KubeClient, 'get'>,
  namespace: string,
  { name, key }: SecretReference,
  signal?: AbortSignal,
): Promise<Buffer> {
  if (!NAME.test(name) || !KEY.test(key))
    throw new SecretProblem('a header has a placeholder that is not ${secret} or ${secret:NAME/KEY}');
  try {
    const { data } = await client.get(secrets, { namespace, name }, { signal });
    const value = data?.[key];
    if (value === undefined) throw new SecretProblem(`Secret ${name} has no key ${key}`);
    return Buffer.from(value, 'base64');
  } catch (error) {
    if (isNotFound(error)) throw new SecretProblem(`there is no Secret ${name}`, { cause: error });
    if (!isForbidden(error)) throw error;
    throw new SecretProblem(
      `the operator may not read Secret ${name}: grant its ServiceAccount the verb get on it with a Role and a RoleBinding`,
      { cause: error },
    );
  }
}
