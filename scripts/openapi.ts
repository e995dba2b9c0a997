/** The OpenAPI document of the REST API as it is kept in the repository. */
import { openApiDocument } from '../common/api/rest/document.ts';
import { OPERATIONS } from '../common/api/rest/operations.ts';
import { REST_VERSION } from '../common/api/rest/operation.ts';

export const OPENAPI_FILE = 'docs/openapi.json';

export const openApiText = (): string =>
  `${JSON.stringify(openApiDocument(OPERATIONS, { version: REST_VERSION }), undefined, 2)}\n`;
