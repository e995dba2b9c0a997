import assert from 'node:assert/strict';
import { OPERATIONS } from '../../../../../common/api/rest/operations.ts';
import { openApiText } from '../../../../../scripts/openapi.ts';
import { Contract } from '../../../../support/openapi.ts';

describe('the OpenAPI document', () => {
  const contract = new Contract();
  const operations = Object.values(contract.document.paths).flatMap((methods) => Object.values(methods));

  it('is of 3.1, as it is generated, and has every operation once', () => {
    assert.equal(contract.document.openapi, '3.1.1');
    assert.deepEqual(JSON.parse(openApiText()), contract.document);
    const ids = operations.map(({ operationId }) => operationId);
    assert.deepEqual([...ids].sort(), OPERATIONS.map(({ id }) => id).sort());
    assert.equal(new Set(ids).size, ids.length);
  });

  it('has schemas that are sound, and only references to what is there', () => {
    for (const name of Object.keys(contract.document.components.schemas))
      assert.notEqual(contract.problems({ $ref: `#/components/schemas/${name}` }, 7), '', name);
    for (const { parameters, requestBody, responses } of operations) {
      for (const { schema } of parameters) contract.problems(schema, {});
      const contents = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)];
      for (const content of contents)
        for (const { schema } of Object.values(content ?? {})) contract.problems(schema, {});
    }
  });

  it('names the parameters of each path, and an error body for every refusal', () => {
    for (const [path, methods] of Object.entries(contract.document.paths))
      for (const { operationId, parameters, responses } of Object.values(methods)) {
        const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const given = parameters.filter((each) => each.in === 'path').map(({ name }) => name);
        assert.deepEqual(given, named, operationId);
        for (const [status, { content }] of Object.entries(responses))
          // What a dry run would be refused with is its answer.
          if (Number(status) >= 400 && `${operationId} ${status}` !== 'validateWebhook 400')
            assert.deepEqual(
              content?.['application/json']?.schema,
              { $ref: '#/components/schemas/Error' },
              `${operationId} ${status}`,
            );
      }
  });

  it('asks for no parameter that has a default', () => {
    const given = operations.flatMap(({ parameters }) =>
      parameters.filter(({ schema }) => 'default' in schema),
    );
    assert.ok(given.length >= 8, 'limits and offsets');
    for (const { name, required } of given) assert.equal(required, false, name);
  });

  it('says nothing of Kubernetes’ own keywords', () => {
    assert.doesNotMatch(openApiText(), /x-kubernetes|patternProperties/);
  });
});
