/** The contract of the REST API: answers are held against the document that is in the repository. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import type { Answer } from './https.ts';

interface Media {
  schema: object;
}
interface ResponseObject {
  content?: Record<string, Media>;
}
export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  schema: Record<string, unknown>;
}
export interface OperationObject {
  operationId: string;
  parameters: Parameter[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, ResponseObject>;
}
export interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, OperationObject>>;
  components: { schemas: Record<string, object> };
}

const FILE = join(import.meta.dirname, '..', '..', 'docs', 'openapi.json');

export class Contract {
  readonly document = JSON.parse(readFileSync(FILE, 'utf8')) as OpenApi;
  readonly #ajv: Ajv2020;
  readonly #compiled = new Map<object, ValidateFunction>();
  readonly #routes: { pattern: RegExp; methods: Record<string, OperationObject> }[];

  constructor() {
    this.#ajv = new Ajv2020({ strict: true, allErrors: true, strictRequired: false });
    formats.default(this.#ajv);
    this.#ajv.addKeyword('components');
    this.#ajv.addSchema({ components: this.document.components }, 'openapi.json');
    this.#routes = Object.entries(this.document.paths).map(([path, methods]) => ({
      // The last parameter of an artifact's address is a path.
      pattern: new RegExp(`^${path.replace(/\{path\}$/, '.+').replace(/\{\w+\}/g, '[^/]+')}$`),
      methods,
    }));
  }

  operationOf(method: string, path: string): OperationObject | undefined {
    const bare = path.split('?', 1)[0] ?? '';
    const found = this.#routes.find(
      ({ pattern, methods }) => pattern.test(bare) && methods[method.toLowerCase()] !== undefined,
    );
    return found?.methods[method.toLowerCase()];
  }

  /** Problems of a value; '' when it is as the schema says. */
  problems(schema: object, value: unknown): string {
    let validate = this.#compiled.get(schema);
    if (validate === undefined) {
      const text = JSON.stringify(schema).replaceAll('"#/components/', '"openapi.json#/components/');
      validate = this.#ajv.compile(JSON.parse(text) as object);
      this.#compiled.set(schema, validate);
    }
    return validate(value) ? '' : this.#ajv.errorsText(validate.errors);
  }

  /** Throws an AssertionError for an answer that the document does not have. `path` is below the base path. */
  check(method: string, path: string, answer: Answer): void {
    const where = `${method} ${path} answered with ${answer.status}: ${answer.text.slice(0, 500)}`;
    const operation = this.operationOf(method, path);
    if (operation === undefined) {
      assert.ok([400, 404, 405, 414, 429, 431].includes(answer.status), where);
      assert.equal(this.problems({ $ref: '#/components/schemas/Error' }, answer.json), '', where);
      return;
    }
    const response = operation.responses[String(answer.status)];
    assert.ok(response, `not in the document: ${where}`);
    const [type] = String(answer.headers['content-type'] ?? '').split(';');
    const media = response.content?.[type ?? ''] ?? response.content?.['*/*'];
    if (response.content === undefined) return assert.equal(answer.text, '', where);
    assert.ok(media, `media type ${type} is not in the document: ${where}`);
    if (type === 'application/json') assert.equal(this.problems(media.schema, answer.json), '', where);
  }
}
