/** Events of anybody else: a JSON object whose fields are named as the event's own. */
import type { Delivery, TriggerEvent } from './event.ts';
import { at, bodyAt, listAt, nameAt, namesOf, numberAt, pathsOf, present, titleAt, urlAt } from './read.ts';

export function genericEvent({ payload }: Delivery): TriggerEvent {
  return present<TriggerEvent>({
    source: 'generic',
    event: nameAt(payload, 'event') ?? nameAt(payload, 'type') ?? 'event',
    action: nameAt(payload, 'action'),
    repository: nameAt(payload, 'repository') ?? nameAt(payload, 'repository', 'full_name'),
    branch: nameAt(payload, 'branch'),
    base: nameAt(payload, 'base'),
    commit: nameAt(payload, 'commit'),
    labels: namesOf(listAt(payload, 'labels')),
    changedLabels: undefined,
    status: nameAt(payload, 'status'),
    author:
      nameAt(payload, 'author') ?? nameAt(payload, 'author', 'login') ?? nameAt(payload, 'author', 'name'),
    association: nameAt(payload, 'association'),
    isBot: at(payload, 'bot') === true,
    paths: Array.isArray(at(payload, 'paths')) ? pathsOf([listAt(payload, 'paths')]) : undefined,
    url: urlAt(payload, 'url'),
    title: titleAt(payload, 'title'),
    number: numberAt(payload, 'number') ?? numberAt(payload, 'id'),
    text: bodyAt(payload, 'text') ?? bodyAt(payload, 'message') ?? bodyAt(payload, 'description'),
    isPing: nameAt(payload, 'event') === 'ping',
  });
}
