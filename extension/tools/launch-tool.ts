/** Launches a session, after the person has said yes to exactly this one. */
import Type from 'typebox';
import { launchSession } from '../sessions/launch.ts';
import { sessionManifest } from '../sessions/launch-answers.ts';
import { placeFields, whereOf } from './place.ts';
import type { PlaceInput } from './place.ts';
import type { SessionTool } from './tool.ts';

interface LaunchInput extends PlaceInput {
  framework: string;
  config?: Record<string, unknown>;
  displayName?: string;
  git?: { url: string; ref?: string };
  budget?: string;
}

export const launchTool: SessionTool<LaunchInput> = {
  name: 'ambient_launch_session',
  title: 'Launch an Ambient Session',
  description:
    "Launches an AI agent session in a Kubernetes namespace. It costs resources and maybe money, so the user is asked first. The namespace's policy may refuse it; the answer then says which rule.",
  input: Type.Object(
    {
      ...placeFields,
      framework: Type.String({
        minLength: 1,
        maxLength: 63,
        description: 'Name of a Framework object of the cluster, for example generic.',
      }),
      config: Type.Optional(
        Type.Record(Type.String(), Type.Unknown(), {
          description:
            'The framework\'s configuration; for generic {"command": "…"}, for agents mostly {"prompt": "…"}.',
        }),
      ),
      displayName: Type.Optional(
        Type.String({ minLength: 1, maxLength: 200, description: 'Title for people.' }),
      ),
      git: Type.Optional(
        Type.Object(
          {
            url: Type.String({ minLength: 1, maxLength: 2048, pattern: '^(https?|git|ssh)://[^\\s]+$' }),
            ref: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
          },
          { additionalProperties: false, description: 'Repository that is cloned into its workspace.' },
        ),
      ),
      budget: Type.Optional(
        Type.String({ pattern: '^[0-9]{1,9}(\\.[0-9]{1,2})?$', description: 'USD it may spend in all.' }),
      ),
    },
    { additionalProperties: false },
  ),
  isReadOnly: false,
  question: ({ cluster, namespace, framework, config, displayName, git, budget }) => ({
    title: 'Launch a session?',
    lines: [
      ...(displayName === undefined ? [] : [`Title: ${displayName}`]),
      `Cluster: ${cluster ?? 'the current context'}`,
      `Namespace: ${namespace ?? 'that of the context'}`,
      `Framework: ${framework}`,
      ...Object.entries(config ?? {}).map(
        ([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
      ),
      ...(git === undefined ? [] : [`Source: ${git.url}${git.ref === undefined ? '' : ` at ${git.ref}`}`]),
      ...(budget === undefined ? [] : [`Budget: $${budget}`]),
    ],
  }),
  run: async ({ cluster, namespace, framework, config = {}, displayName, git, budget }, world, signal) => {
    const place = await world.place(cluster, namespace);
    const session = sessionManifest(
      {
        cluster: place.cluster,
        namespace: place.namespace,
        framework,
        config,
        source: git === undefined ? { type: 'none' } : { type: 'git', ...git },
        ...(displayName === undefined ? {} : { displayName }),
        ...(budget === undefined ? {} : { limits: { budget } }),
      },
      world.newName(),
    );
    const { metadata } = await launchSession({ client: place.client, session, signal });
    return `Launched session ${metadata.name} in ${whereOf(place)}. Read its log with ambient_read_session_log.`;
  },
};
