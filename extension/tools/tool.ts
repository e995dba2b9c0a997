/** What a tool for language models is: the editor's own agents and MCP clients get the same ones. */
import type { TSchema } from 'typebox';
import type { KubeClient } from '../../common/kube/client.ts';

/** The clusters as a tool needs them: the user's own kubeconfig, hence the user's own rights. */
export interface ToolWorld {
  /** By name of a kubeconfig context; undefined: the current one. Throws AmbientError, KubeError. */
  place(cluster: string | undefined, namespace: string | undefined): Promise<ToolPlace>;
  newName(): string;
}

export interface ToolPlace {
  cluster: string;
  namespace: string;
  client: KubeClient;
}

/** What the person is asked before a tool changes anything. */
export interface Question {
  title: string;
  /** Plain text, a line each. */
  lines: string[];
}

export interface SessionTool<Input = unknown> {
  name: string;
  title: string;
  /** For the model. */
  description: string;
  /** An object; inputs are checked against it before anything is done. */
  input: TSchema;
  /** Changes nothing. */
  isReadOnly: boolean;
  /** Absent: nothing needs to be asked. */
  question?: (input: Input) => Question;
  run: (input: Input, world: ToolWorld, signal: AbortSignal) => Promise<string>;
}
