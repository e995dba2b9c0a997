/** The documents by which API servers and kubectl learn what is served here. */
import { LIVE_API_VERSION, LIVE_GROUP, VERSION } from '../../../common/api/names.ts';

const groupVersion = { groupVersion: LIVE_API_VERSION, version: VERSION };
const group = {
  name: LIVE_GROUP,
  versions: [groupVersion],
  preferredVersion: groupVersion,
};

const resource = (subresource: string, kind: string, verbs: string[], of = 'sessions') => ({
  name: `${of}/${subresource}`,
  singularName: '',
  namespaced: true,
  kind,
  verbs,
});

const info = { title: 'Ambient Sessions live API', version: VERSION };

/** By path. */
export const DOCUMENTS: Readonly<Record<string, object>> = {
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [group] },
  [`/apis/${LIVE_GROUP}`]: { kind: 'APIGroup', apiVersion: 'v1', ...group },
  [`/apis/${LIVE_API_VERSION}`]: {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: LIVE_API_VERSION,
    resources: [
      resource('approve', 'ApproveRequest', ['create']),
      resource('retention', 'RetentionForecast', ['get'], 'namespacepolicies'),
      resource('artifacts', 'ArtifactList', ['get']),
      resource('audit', 'AuditRecord', ['get']),
      resource('budget', 'BudgetRequest', ['create']),
      resource('interrupt', 'InterruptRequest', ['create']),
      resource('log', 'Log', ['get']),
      resource('message', 'MessageRequest', ['create']),
      resource('reject', 'RejectRequest', ['create']),
      resource('resume', 'ResumeRequest', ['create']),
      resource('source', 'SourceState', ['get', 'update']),
      resource('stop', 'StopRequest', ['create']),
    ],
  },
  '/openapi/v2': { swagger: '2.0', info, paths: {} },
  '/openapi/v3': { paths: {} },
  '/version': { major: '0', minor: '1', gitVersion: 'v0.1.0' },
};
