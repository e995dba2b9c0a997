/** Framework: an entry of the cluster's registry of what can run a session. */
import Type from 'typebox';
import { FreeObject, Quantity } from './kubernetes.ts';
import type { KubeObject, ValidationRule } from './kubernetes.ts';
import { MODEL_PROVIDERS } from './models.ts';

/**
 * text: every output line is a record; ndjson: lines that are JSON objects with a `type` are events. The others are what
 * programs print of themselves: claude-stream-json `claude -p --output-format stream-json --verbose`, codex-json `codex exec --json`.
 */
export const EVENT_FORMATS = ['text', 'ndjson', 'claude-stream-json', 'codex-json'] as const;

const VariableName = (description: string) =>
  Type.String({ minLength: 1, maxLength: 253, pattern: '^[A-Za-z_][A-Za-z0-9_]*$', description });

/** How a command is told where a provider's models are: at the operator's gateway, which alone has the provider's key. */
export const FrameworkModels = Type.Object({
  provider: Type.Enum([...MODEL_PROVIDERS]),
  baseUrlEnv: VariableName("The variable that gets the gateway's address of this provider."),
  path: Type.Optional(
    Type.String({
      maxLength: 64,
      pattern: '^(/[A-Za-z0-9._-]+)+$',
      description: 'What the command expects its base address to end with, for example /v1.',
    }),
  ),
  keyEnv: Type.Optional(
    VariableName(
      "The variable that gets the pod's token for the gateway, as it is at the start. A command that asks for its key again reads the file that AMBIENT_MODELS_TOKEN_FILE names.",
    ),
  ),
});
export type FrameworkModels = Type.Static<typeof FrameworkModels>;

/** messages: its command reads what people say to the running session from standard input, in the way of its event format. */
export const INPUTS = ['none', 'messages'] as const;

export const FrameworkSpec = Type.Object({
  displayName: Type.Optional(Type.String({ maxLength: 200 })),
  description: Type.Optional(Type.String({ maxLength: 4096 })),
  versions: Type.Array(
    Type.Object({
      name: Type.String({ minLength: 1, maxLength: 63 }),
      image: Type.String({
        minLength: 1,
        maxLength: 1024,
        pattern: '^[^\\s]+$',
        description: 'Or exactly {{config.NAME}}: whichever the session asks for.',
      }),
      imagePullPolicy: Type.Optional(Type.Enum(['Always', 'IfNotPresent', 'Never'])),
      deprecated: Type.Optional(
        Type.String({ maxLength: 1024, description: 'Why, and what to use instead.' }),
      ),
    }),
    {
      minItems: 1,
      maxItems: 50,
      description: 'The first is the default.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    },
  ),
  command: Type.Array(Type.String({ maxLength: 8192 }), {
    minItems: 1,
    maxItems: 100,
    description:
      'Argument vector. An element that is exactly {{config.NAME}} becomes that value: a string one argument, an array one argument each, absent none. Values are data: no shell sees them unless the command is one.',
  }),
  sidecar: Type.Optional(
    Type.Object(
      {
        image: Type.String({ minLength: 1, maxLength: 1024, pattern: '^[^\\s]+$' }),
        imagePullPolicy: Type.Optional(Type.Enum(['Always', 'IfNotPresent', 'Never'])),
      },
      {
        description:
          "The runner's image, for versions whose images have no runner. Those need /bin/sh, and run as user 65532 with nothing to write to but the workspace, the artifacts and /tmp.",
      },
    ),
  ),
  env: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String({ minLength: 1, maxLength: 253, pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }),
        value: Type.String({ maxLength: 8192, description: 'Plain text, or exactly {{config.NAME}}.' }),
      }),
      { maxItems: 100 },
    ),
  ),
  models: Type.Optional(
    Type.Array(FrameworkModels, {
      maxItems: 3,
      description:
        'Models it uses through the gateway. What they cost is then measured there, and amounts that the command reports do not count.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['provider'],
    }),
  ),
  configSchema: Type.Optional(
    FreeObject({
      maxProperties: 50,
      description:
        'JSON Schema (2020-12) of spec.framework.config; type object. By convention `model` is the model asked for, a string, and `tools` the tools, a list of strings: policy decides by these two.',
    }),
  ),
  eventFormat: Type.Optional(Type.Enum([...EVENT_FORMATS], { default: 'text' })),
  input: Type.Optional(
    Type.Enum([...INPUTS], {
      default: 'none',
      description:
        'messages: the command reads from standard input what people say to the running session. text: a message is its lines; ndjson: one line {"type":"message","id","text"}; other formats have their own. An interrupt is SIGINT to the process group where the format has no word for it.',
    }),
  ),
  executes: Type.Optional(
    Type.Boolean({
      default: true,
      description:
        'Executes commands of the session or of its agent, and cannot be kept from it. false: it does its work without, or holds back when AMBIENT_RESTRICT_EXECUTION is true.',
    }),
  ),
  resources: Type.Optional(
    Type.Object({
      cpu: Type.Optional(Quantity('Default CPU limit.')),
      memory: Type.Optional(Quantity('Default memory limit.')),
      storage: Type.Optional(Quantity('Default ephemeral storage limit.')),
    }),
  ),
});
export type FrameworkSpec = Type.Static<typeof FrameworkSpec>;

export const FRAMEWORK_RULES: ValidationRule[] = [
  { rule: 'size(self.metadata.name) <= 63', message: 'a Framework name has at most 63 characters' },
];

export interface Framework extends KubeObject {
  kind: 'Framework';
  spec: FrameworkSpec;
}
