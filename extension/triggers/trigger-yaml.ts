/** Triggers as YAML and back, with mistakes named where they stand. Heavy to load (YAML and schemas): `await import` it. */
import type { Framework } from '../../common/api/framework.ts';
import { API_VERSION } from '../../common/api/names.ts';
import { SessionTriggerSpec } from '../../common/api/session-trigger.ts';
import type { SessionTrigger } from '../../common/api/session-trigger.ts';
import { triggerMistakes } from '../../common/rules/triggers/mistakes.ts';
import type { ObjectRef, ParsedObject } from '../objects/object-kind.ts';
import { objectText, parseObject } from '../objects/object-yaml.ts';
import { TRIGGER_DOCUMENT } from './trigger-schema.ts';

export const triggerText = (trigger: SessionTrigger): string => objectText(trigger);

/** To begin with: what most of them look like. */
export const newTriggerText = ({ namespace, name }: ObjectRef): string =>
  triggerText({
    apiVersion: API_VERSION,
    kind: 'SessionTrigger',
    metadata: { name, namespace },
    spec: {
      source: 'github',
      when: { events: ['issues'], actions: ['labeled'], labels: ['agent'] },
      session: {
        displayName: 'Issue #{{event.number}}: {{event.title}}',
        framework: {
          type: 'generic',
          // A shell runs the command; what comes from outside is $1 and so on, and no shell looks into it.
          config: { command: 'printf "%s\\n" "$1"', args: ['{{event.title}}'] },
        },
        source: {
          type: 'git',
          git: { url: '{{payload.repository.clone_url}}', ref: '{{payload.repository.default_branch}}' },
        },
      },
    },
  });

/** @param frameworks of the cluster; undefined where they are not known, and then nothing is said about them */
export const parseTrigger = (
  text: string,
  { namespace, name }: ObjectRef,
  frameworks: readonly Framework[] | undefined,
): ParsedObject<SessionTrigger> =>
  parseObject<SessionTrigger>(text, {
    kind: 'SessionTrigger',
    namespace,
    name,
    spec: SessionTriggerSpec,
    document: TRIGGER_DOCUMENT,
    mistakes: ({ spec }) => triggerMistakes(spec, frameworks),
  });
