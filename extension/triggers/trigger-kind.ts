/** Triggers as objects that people edit as YAML. Thin: YAML and schemas come on first use. */
import * as vscode from 'vscode';
import type { Framework } from '../../common/api/framework.ts';
import type { SessionTrigger } from '../../common/api/session-trigger.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isForbidden, isNotFound } from '../../common/kube/errors.ts';
import { frameworks, sessionTriggers } from '../../common/kube/resource.ts';
import type { ObjectKind } from '../objects/object-kind.ts';
import { TRIGGER_SCHEME, triggerPlace, triggerUri } from './trigger-ref.ts';

/** Above a trigger that is not there yet: makes the document one that can be saved. */
export const TRIGGER_PROPOSAL =
  '# There is no trigger of this name yet: this is a proposal, to be changed and saved.\n';

const READ_MS = 15_000;
/** Which frameworks there are is believed for so long: one that types is checked at every pause. */
const FRAMEWORKS_MS = 30_000;

export interface TriggerKindDeps {
  client: (cluster: string) => Promise<KubeClient>;
  /** Epoch ms. */
  now: () => number;
}

export function triggerKind({ client, now }: TriggerKindDeps): ObjectKind<SessionTrigger> {
  const known = new Map<string, { until: number; asked: Promise<readonly Framework[] | undefined> }>();
  const frameworksOf = (cluster: string): Promise<readonly Framework[] | undefined> => {
    const found = known.get(cluster);
    if (found !== undefined && found.until > now()) return found.asked;
    const asked = client(cluster)
      .then((each) => each.list(frameworks, {}, { signal: AbortSignal.timeout(READ_MS) }))
      .then(({ items }): readonly Framework[] | undefined => items)
      // Nothing is said about frameworks that cannot be seen.
      .catch(() => undefined);
    known.set(cluster, { until: now() + FRAMEWORKS_MS, asked });
    return asked;
  };
  return {
    scheme: TRIGGER_SCHEME,
    resource: sessionTriggers,
    proposal: TRIGGER_PROPOSAL,
    called: ({ namespace, name }) => `the trigger ${name} of ${namespace}`,
    uri: triggerUri,
    place: triggerPlace,
    find: async ({ cluster, namespace, name }) => {
      try {
        const signal = AbortSignal.timeout(READ_MS);
        return await (await client(cluster)).get(sessionTriggers, { namespace, name }, { signal });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        if (isForbidden(error))
          throw vscode.FileSystemError.NoPermissions(`You may not see the triggers of ${namespace}.`);
        throw error;
      }
    },
    parse: async (text, ref) => {
      const [{ parseTrigger }, list] = await Promise.all([
        import('./trigger-yaml.ts'),
        frameworksOf(ref.cluster),
      ]);
      return parseTrigger(text, ref, list);
    },
    text: async (trigger) => (await import('./trigger-yaml.ts')).triggerText(trigger),
    fresh: async (ref) => (await import('./trigger-yaml.ts')).newTriggerText(ref),
    schema: async () => (await import('./trigger-schema.ts')).TRIGGER_DOCUMENT,
    applied: () => undefined,
  };
}
