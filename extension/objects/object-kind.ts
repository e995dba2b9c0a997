/** What there is to know of a kind of object that people edit as YAML: policies, triggers. */
import type * as vscode from 'vscode';
import type { KubeObject } from '../../common/api/kubernetes.ts';
import type { Resource } from '../../common/kube/resource.ts';
import type { Schema } from './schema.ts';

export interface ObjectRef {
  /** The kubeconfig context through which it is seen. */
  cluster: string;
  namespace: string;
  name: string;
}

export interface YamlProblem {
  message: string;
  /** Offsets in the text. */
  from: number;
  to: number;
  severity: 'error' | 'warning';
}

/** What contradicts itself does not keep an object from being applied; its status will say so too. */
export type ParsedObject<T> =
  { ok: true; object: T; mistakes: YamlProblem[] } | { ok: false; problems: YamlProblem[] };

export interface ObjectKind<T extends KubeObject> {
  scheme: string;
  resource: Resource<T>;
  /** `the policy of team-a`, in a sentence. */
  called(ref: ObjectRef): string;
  uri(ref: ObjectRef): vscode.Uri;
  /** Undefined for what is no address of this kind. */
  place(uri: vscode.Uri): ObjectRef | undefined;
  /** As the cluster has it now; undefined: there is none. Throws FileSystemError where it may not be seen. */
  find(ref: ObjectRef): Promise<T | undefined>;
  parse(text: string, ref: ObjectRef): Promise<ParsedObject<T>>;
  text(object: T): Promise<string>;
  /** To begin with, where there is none. */
  fresh(ref: ObjectRef): Promise<string>;
  /** Of the whole document. */
  schema(): Promise<Schema>;
  /** Stands above a fresh one, and makes its document one that can be saved. */
  proposal: string;
  /** It was applied from here. */
  applied(ref: ObjectRef): void;
}
