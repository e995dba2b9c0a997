import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AnswerReader } from '../../../../../common/rules/models/answer.ts';
import { anthropicMessages } from '../../../../../common/rules/models/anthropic.ts';
import { NO_USAGE } from '../../../../../common/rules/models/protocol.ts';
import { ANSWERS } from './answers.ts';

function read(answer: (typeof ANSWERS)[number], pieces: readonly Uint8Array[]) {
  const reader = new AnswerReader(answer.protocol, answer.isStream);
  for (const piece of pieces) reader.write(piece);
  return reader.end();
}

/** At these places, in order. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

describe('what an answer tells of its cost', () => {
  for (const answer of ANSWERS)
    it(answer.title, () => {
      const { usage, isFinal } = read(answer, [Buffer.from(answer.text)]);
      assert.deepEqual(usage, answer.usage);
      assert.ok(isFinal);
    });

  it('is the same wherever its bytes are cut', () => {
    for (const answer of ANSWERS) {
      const bytes = Buffer.from(answer.text);
      const whole = read(answer, [bytes]);
      for (let at = 0; at <= bytes.length; at++) assert.deepEqual(read(answer, cut(bytes, [at])), whole);
      fc.assert(
        fc.property(fc.array(fc.nat(), { maxLength: 40 }), (places) => {
          assert.deepEqual(read(answer, cut(bytes, places)), whole);
        }),
        { numRuns: 30 },
      );
    }
  });

  it('is never more than the whole, nor final, when it breaks off before the last word on tokens', () => {
    for (const answer of ANSWERS) {
      const bytes = Buffer.from(answer.text);
      let before = 0;
      for (let end = 0; end < bytes.length; end++) {
        const { usage, isFinal, generatedBytes } = read(answer, [bytes.subarray(0, end)]);
        for (const kind of ['input', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const)
          assert.ok(usage[kind] <= Math.max(answer.usage[kind], 1000), `${answer.title} ${end} ${kind}`);
        assert.ok(usage.output <= answer.usage.output);
        if (isFinal) assert.deepEqual(usage, answer.usage);
        assert.ok(generatedBytes >= before);
        before = generatedBytes;
      }
    }
  });

  it('is nothing for what is no answer', () => {
    for (const { protocol, isStream } of ANSWERS)
      for (const text of [
        '',
        'null',
        '[]',
        'data: 7\n\n',
        'data: {"usage":"x"}\n\n',
        '{"usage":{"input_tokens":-1}}',
        '<html>',
      ])
        assert.deepEqual(
          read({ title: '', protocol, isStream, text, usage: NO_USAGE }, [Buffer.from(text)]).usage,
          NO_USAGE,
        );
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ANSWERS), fc.json(), fc.uint8Array(), (answer, json, bytes) => {
        const text = answer.isStream ? `data: ${json}\n\n` : json;
        read(answer, [Buffer.from(text), bytes]);
      }),
    );
  });

  it('counts the bytes of what was generated where a stream breaks off', () => {
    const stream = ANSWERS.find(({ protocol, isStream }) => protocol === anthropicMessages && isStream);
    assert.ok(stream !== undefined);
    const reader = new AnswerReader(stream.protocol, true);
    reader.write(Buffer.from(stream.text.slice(0, stream.text.indexOf('event: message_delta'))));
    const { generatedBytes, isStarted, isFinal } = reader.end();
    assert.ok(isStarted && !isFinal);
    assert.ok(generatedBytes >= Buffer.byteLength('Grüße aus 東京 🗼'));
  });

  it('adds up rounds that the totals of an answer leave out', () => {
    const usage = {
      input_tokens: 10,
      output_tokens: 5,
      iterations: [
        { type: 'message', input_tokens: 100, output_tokens: 7 },
        { type: 'message', input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 3 },
      ],
    };
    assert.deepEqual(anthropicMessages.usageOf({ usage }), {
      ...NO_USAGE,
      input: 110,
      output: 12,
      cacheRead: 3,
    });
  });
});
