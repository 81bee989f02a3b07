// The options of the commands that generate: which token is taken, and when to end.
import type { GenerateOptions, Summary } from '../index.ts';
import type { Options, Values } from './options.ts';

export const lengthOptions = {
  'max-tokens': {
    type: 'integer',
    short: 'n',
    value: 'MAX',
    min: 0,
    help: 'tokens to generate at most',
    otherwise: 'what the context has room for',
  },
  stop: { type: 'texts', value: 'TEXT', help: 'end before this text; may be repeated' },
  special: { type: 'flag', help: 'parse special tokens in the prompt' },
} as const satisfies Options;

// No defaults here: what the model's makers say, or the library's own, holds where nothing is given.
export const samplingOptions = {
  temp: {
    type: 'number',
    value: 'T',
    min: 0,
    help: 'temperature; 0 takes the likeliest token',
    otherwise: "the model's, else 0.7",
  },
  'top-k': {
    type: 'integer',
    value: 'K',
    min: 0,
    help: 'keep the K likeliest tokens; 0 keeps all',
    otherwise: "the model's, else 40",
  },
  'top-p': {
    type: 'number',
    value: 'P',
    min: 0,
    max: 1,
    help: 'keep the smallest set of probability P',
    otherwise: "the model's, else 0.95",
  },
  'min-p': {
    type: 'number',
    value: 'P',
    min: 0,
    max: 1,
    help: 'drop tokens less likely than P times the likeliest',
    otherwise: "the model's, else 0",
  },
  'repeat-penalty': {
    type: 'number',
    value: 'X',
    min: 0,
    help: 'divide logits of tokens seen lately',
    otherwise: "the model's, else 1, off",
  },
  'presence-penalty': {
    type: 'number',
    value: 'X',
    help: 'subtract once from logits of tokens seen lately',
    otherwise: '0',
  },
  'frequency-penalty': { type: 'number', value: 'X', help: 'subtract for each time they were seen', otherwise: '0' },
  seed: {
    type: 'integer',
    value: 'S',
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    help: 'the same seed gives the same text',
    otherwise: 'a random one',
  },
  lookup: { type: 'flag', help: 'guess tokens where the text repeats itself: the same text, faster where it copies' },
} as const satisfies Options;

export function generateOptions(
  values: Values<typeof samplingOptions> & Partial<Values<typeof lengthOptions>>,
): GenerateOptions {
  return {
    temperature: values.temp,
    topK: values['top-k'],
    topP: values['top-p'],
    minP: values['min-p'],
    repetitionPenalty: values['repeat-penalty'],
    presencePenalty: values['presence-penalty'],
    frequencyPenalty: values['frequency-penalty'],
    seed: values.seed,
    speculation: values.lookup ? 'lookup' : undefined,
    maxTokens: values['max-tokens'],
    stop: values.stop,
    special: values.special,
  };
}

/** What --json tells of a generation. */
export function summaryJson({ text, ids, promptTokens, stop, timings }: Summary, loadMs: number) {
  const { prefillMs, decodeMs, prefillTokensPerSecond, decodeTokensPerSecond } = timings;
  return {
    ...{ text, ids, promptTokens, stop },
    timings: { loadMs, prefillMs, decodeMs, prefillTokensPerSecond, decodeTokensPerSecond },
  };
}
