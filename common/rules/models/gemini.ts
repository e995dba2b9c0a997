/**
 * Gemini generateContent. https://ai.google.dev/api/generate-content: the model stands in the path; `promptTokenCount` includes
 * what came from a cache; thoughts are billed as output beside the candidates. Each chunk of a stream tells totals so far.
 */
import { at, bytesOf, limitAt, listAt, textAt, tokensAt, visit } from './fields.ts';
import { NO_USAGE, RequestProblem } from './protocol.ts';
import type { Protocol, Usage } from './protocol.ts';

const PATH =
  /^\/v1(?:beta|alpha)?\/models\/([^/:]{1,253}):(generateContent|streamGenerateContent|countTokens)$/;

export const gemini: Protocol = {
  request(body, path) {
    const match = PATH.exec(path);
    if (match?.[1] === undefined) throw new RequestProblem('the path names no model');
    const tools: string[] = [];
    const serverTools: string[] = [];
    for (const tool of listAt(body, 'tools'))
      for (const [kind, value] of Object.entries(Object(tool) as object)) {
        if (kind === 'functionDeclarations' || kind === 'function_declarations')
          for (const each of listAt([value], 0)) tools.push(textAt(each, 'name') ?? 'function');
        else serverTools.push(kind);
      }
    const config = at(body, 'generationConfig') ?? at(body, 'generation_config');
    return {
      model: match[1],
      isStream: match[2] === 'streamGenerateContent',
      maxOutput: limitAt(config, 'maxOutputTokens') ?? limitAt(config, 'max_output_tokens'),
      answers: Math.max(1, limitAt(config, 'candidateCount') ?? limitAt(config, 'candidate_count') ?? 1),
      tools,
      serverTools,
      cache: 'none',
      ...inputOf(body),
      surcharges: listAt(config, 'responseModalities')
        .filter((each) => each !== 'TEXT')
        .map((each) => `responseModalities: ${String(each).slice(0, 40)}`),
    };
  },

  usageOf,

  next(reading, event) {
    const usage = usageOf(event) ?? reading.usage;
    const candidates = listAt(event, 'candidates');
    const bytes = candidates
      .flatMap((each) => listAt(each, 'content', 'parts'))
      .reduce<number>((sum, part) => sum + bytesOf(at(part, 'text') ?? JSON.stringify(part)), 0);
    const isEnded = candidates.some((each) => textAt(each, 'finishReason') !== undefined);
    const isBlocked = textAt(event, 'promptFeedback', 'blockReason') !== undefined;
    const isStarted = reading.isStarted || at(event, 'usageMetadata') !== undefined;
    return {
      usage,
      isStarted,
      isFinal: isStarted && (reading.isFinal || isEnded || isBlocked),
      generatedBytes: reading.generatedBytes + bytes,
    };
  },
};

function inputOf(body: unknown): { images: number; isOpenEnded: boolean } {
  const found = {
    images: 0,
    isOpenEnded: (at(body, 'cachedContent') ?? at(body, 'cached_content') ?? null) !== null,
  };
  visit([at(body, 'contents'), at(body, 'systemInstruction'), at(body, 'system_instruction')], (object) => {
    const inline = at(object, 'inlineData') ?? at(object, 'inline_data');
    const type = textAt(inline, 'mimeType') ?? textAt(inline, 'mime_type');
    if (type?.startsWith('image/') === true) found.images++;
    else if (inline !== undefined || (at(object, 'fileData') ?? at(object, 'file_data')) !== undefined)
      found.isOpenEnded = true;
  });
  return found;
}

function usageOf(body: unknown): Usage | undefined {
  const usage = at(body, 'usageMetadata');
  const prompt = tokensAt(usage, 'promptTokenCount');
  if (prompt === undefined) return undefined;
  const cacheRead = Math.min(prompt, tokensAt(usage, 'cachedContentTokenCount') ?? 0);
  const thinking = tokensAt(usage, 'thoughtsTokenCount') ?? 0;
  return {
    ...NO_USAGE,
    input: prompt - cacheRead + (tokensAt(usage, 'toolUsePromptTokenCount') ?? 0),
    cacheRead,
    output: (tokensAt(usage, 'candidatesTokenCount') ?? 0) + thinking,
    thinking,
  };
}
