/** Typed verbs on Kubernetes objects, over one connection. */
import type { KubeList, KubeObject } from '../api/kubernetes.ts';
import * as access from './access.ts';
import type { Connection } from './connection.ts';
import { isGone, isNotFound } from './errors.ts';
import type { JsonPatchOperation } from './patch.ts';
import { apiVersionOf, resourcePath } from './resource.ts';
import type { Resource } from './resource.ts';

export interface ObjectAddress {
  /** Required for objects of namespaced resources. */
  namespace?: string | undefined;
  name: string;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
}

export interface WriteOptions extends CallOptions {
  /** Validate and admit without storing. */
  dryRun?: boolean;
  fieldManager?: string;
  /** What the server does with unknown or doubled fields; its default is Warn. */
  fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
}

/** The answer to a write is kind, apiVersion and metadata alone: for those who only need to know its version. */
export interface BriefAnswer {
  answer: 'metadata';
}

export interface ListOptions extends CallOptions {
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Objects per page; default 500. */
  limit?: number;
  /** Objects in the first page, for whom wants to see something soon; default `limit`. */
  firstLimit?: number | undefined;
}

export interface Page<T> {
  items: T[];
  /** The same for all pages of one list: where a watch goes on from. */
  resourceVersion: string;
}

export interface DeleteOptions extends CallOptions {
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  gracePeriodSeconds?: number;
  preconditions?: { uid?: string; resourceVersion?: string };
}

export const DEFAULT_PAGE_SIZE = 500;

export class KubeClient {
  readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  async get<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectAddress & { subresource?: string },
    options: CallOptions = {},
  ): Promise<T> {
    return await this.connection.json<T>(resourcePath(resource, at), options);
  }

  /** All pages in one array. When the server has compacted away the middle of a list, starts it again. */
  async list<T extends KubeObject>(
    resource: Resource<T>,
    at: { namespace?: string | undefined } = {},
    options: ListOptions = {},
  ): Promise<Page<T>> {
    try {
      return await this.#listAll(resource, at, options);
    } catch (error) {
      if (!isGone(error)) throw error;
      // In one page no continue token can expire.
      return await this.#listAll(resource, at, { ...options, limit: 0 });
    }
  }

  /** The pages of one consistent list, one at a time. Throws KubeError 410 when its next page has expired. */
  async *listPages<T extends KubeObject>(
    resource: Resource<T>,
    at: { namespace?: string | undefined } = {},
    options: ListOptions = {},
  ): AsyncGenerator<Page<T>, void, undefined> {
    const { labelSelector, fieldSelector, limit: later = DEFAULT_PAGE_SIZE, signal } = options;
    let limit = options.firstLimit ?? later;
    let next: string | undefined;
    do {
      const path = resourcePath(resource, {
        namespace: at.namespace,
        query: { limit: limit === 0 ? undefined : limit, labelSelector, fieldSelector, continue: next },
      });
      limit = later;
      const page = await this.connection.json<KubeList<T>>(path, { signal, verb: 'list' });
      next = page.metadata.continue;
      yield { items: withKind(page.items, resource), resourceVersion: page.metadata.resourceVersion ?? '' };
    } while (next !== undefined && next !== '');
  }

  async create<T extends KubeObject>(
    resource: Resource<T>,
    object: NoInfer<T>,
    options: WriteOptions & BriefAnswer,
  ): Promise<KubeObject>;
  async create<T extends KubeObject>(
    resource: Resource<T>,
    object: NoInfer<T>,
    options?: WriteOptions,
  ): Promise<T>;
  async create<T extends KubeObject>(
    resource: Resource<T>,
    object: NoInfer<T>,
    options: WriteOptions & Partial<BriefAnswer> = {},
  ): Promise<T> {
    const path = resourcePath(resource, { namespace: object.metadata.namespace, query: writeQuery(options) });
    return await this.connection.json<T>(path, {
      method: 'POST',
      body: object,
      signal: options.signal,
      ...answerAs(options),
    });
  }

  /** Fails with a conflict when `metadata.resourceVersion` is set and no longer current. */
  async replace<T extends KubeObject>(
    resource: Resource<T>,
    object: NoInfer<T>,
    options: WriteOptions & { subresource?: 'status' } = {},
  ): Promise<T> {
    const path = resourcePath(resource, {
      namespace: object.metadata.namespace,
      name: object.metadata.name,
      subresource: options.subresource,
      query: writeQuery(options),
    });
    return await this.connection.json<T>(path, { method: 'PUT', body: object, signal: options.signal });
  }

  /** Put metadata.resourceVersion (or metadata.uid) in the patch to make it conditional. */
  async mergePatch<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectAddress & { subresource?: 'status' },
    patch: object,
    options: WriteOptions & BriefAnswer,
  ): Promise<KubeObject>;
  async mergePatch<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectAddress & { subresource?: 'status' },
    patch: object,
    options?: WriteOptions,
  ): Promise<T>;
  async mergePatch<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectAddress & { subresource?: 'status' },
    patch: object,
    options: WriteOptions & Partial<BriefAnswer> = {},
  ): Promise<T> {
    return await this.#patch(resource, at, patch, 'application/merge-patch+json', options);
  }

  async jsonPatch<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectAddress & { subresource?: 'status' },
    operations: readonly JsonPatchOperation[],
    options: WriteOptions = {},
  ): Promise<T> {
    return await this.#patch(resource, at, operations, 'application/json-patch+json', options);
  }

  /** Server-side apply: creates the object or makes the given fields so. `force` takes fields from other managers. */
  async apply<T extends KubeObject>(
    resource: Resource<T>,
    object: NoInfer<T>,
    options: Omit<WriteOptions, 'fieldManager'> & {
      fieldManager: string;
      force?: boolean;
      subresource?: 'status';
    },
  ): Promise<T> {
    const path = resourcePath(resource, {
      namespace: object.metadata.namespace,
      name: object.metadata.name,
      subresource: options.subresource,
      query: { ...writeQuery(options), force: options.force },
    });
    return await this.connection.json<T>(path, {
      method: 'PATCH',
      // JSON is YAML, and the server knows this media type since apply exists.
      contentType: 'application/apply-patch+yaml',
      body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
      signal: options.signal,
    });
  }

  async delete<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectAddress,
    options: DeleteOptions = {},
  ): Promise<void> {
    const { signal, ...rest } = options;
    await this.connection.json<unknown>(resourcePath(resource, at), {
      method: 'DELETE',
      body: { apiVersion: 'v1', kind: 'DeleteOptions', ...rest },
      signal,
    });
  }

  /** Is this version of the API group served? Throws KubeError when that cannot be found out. */
  async discovers(group: string, version: string, options: CallOptions = {}): Promise<boolean> {
    try {
      await this.connection.json<unknown>(
        group === '' ? `/api/${version}` : `/apis/${group}/${version}`,
        options,
      );
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  selfSubjectAccessReview(
    attributes: access.ResourceAttributes,
    options?: CallOptions,
  ): Promise<access.AccessDecision> {
    return access.selfSubjectAccessReview(this.connection, attributes, options);
  }

  subjectAccessReview(
    subject: access.Subject,
    attributes: access.ResourceAttributes,
    options?: CallOptions,
  ): Promise<access.AccessDecision> {
    return access.subjectAccessReview(this.connection, subject, attributes, options);
  }

  selfSubjectRulesReview(namespace: string, options?: CallOptions): Promise<access.SubjectRules> {
    return access.selfSubjectRulesReview(this.connection, namespace, options);
  }

  tokenReview(
    token: string,
    audiences: readonly string[],
    options?: CallOptions,
  ): Promise<access.TokenOwner> {
    return access.tokenReview(this.connection, token, audiences, options);
  }

  async #listAll<T extends KubeObject>(
    resource: Resource<T>,
    at: { namespace?: string | undefined },
    options: ListOptions,
  ): Promise<Page<T>> {
    const items: T[] = [];
    let resourceVersion = '';
    for await (const page of this.listPages(resource, at, options)) {
      for (const item of page.items) items.push(item);
      resourceVersion = page.resourceVersion;
    }
    return { items, resourceVersion };
  }

  async #patch<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectAddress & { subresource?: 'status' },
    body: object,
    contentType: string,
    options: WriteOptions & Partial<BriefAnswer>,
  ): Promise<T> {
    const path = resourcePath(resource, { ...at, query: writeQuery(options) });
    return await this.connection.json<T>(path, {
      method: 'PATCH',
      contentType,
      body,
      signal: options.signal,
      ...answerAs(options),
    });
  }
}

const writeQuery = ({ dryRun, fieldManager, fieldValidation }: WriteOptions) => ({
  dryRun: dryRun === true ? 'All' : undefined,
  fieldManager,
  fieldValidation,
});

/** What does not know the transformation answers with the whole object, which has its metadata too. */
const answerAs = ({ answer }: Partial<BriefAnswer>): { accept?: string } =>
  answer === undefined
    ? {}
    : { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json' };

/** Items of built-in kinds come without apiVersion and kind, which the list has already said. */
function withKind<T extends KubeObject>(items: T[] | null, resource: Resource<T>): T[] {
  const apiVersion = apiVersionOf(resource);
  for (const item of items ?? []) {
    item.apiVersion ??= apiVersion;
    item.kind ??= resource.kind;
  }
  return items ?? [];
}
