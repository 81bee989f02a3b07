// ternlight chat: a conversation, in the chat form of the model or one that is asked for.
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileTemplate } from '../generate/chat-form-choice.ts';
import { chatFormNames } from '../generate/chat-forms.ts';
import type { ChatMessage, Model, Session } from '../index.ts';
import { TernlightError } from '../index.ts';
import { type Context, command } from './command.ts';
import { INTERRUPTED } from './interrupt.ts';
import { lines, print, printJson } from './io.ts';
import { modelOptions, withModel } from './model-options.ts';
import { nearest } from './nearest.ts';
import { type Options, UsageError, type Values } from './options.ts';
import { generateOptions, lengthOptions, samplingOptions, summaryJson } from './sampling-options.ts';
import { forStream } from './text.ts';

const { special: _, ...lengths } = lengthOptions; // what a user types is never parsed for special tokens
const templateNames = [fileTemplate, ...chatFormNames];
const chatOptions = {
  system: { type: 'text', short: 's', value: 'TEXT', help: 'system prompt' },
  'chat-template': {
    type: 'text',
    value: 'NAME|FILE',
    help: `how the conversation is written: ${templateNames.join(', ')}, or a file of Jinja text; "${fileTemplate}" is the model file's own`,
    otherwise: "the model's: docs/CHAT.md",
  },
  ...lengths,
} as const satisfies Options;

type ChatValues = Values<typeof chatOptions> & Values<typeof samplingOptions> & { json: boolean };

export const chat = command({
  name: 'chat',
  summary: 'talk with a model',
  details: `A line is a message; empty lines are ignored. Ctrl-C stops the answer, at the prompt it ends the chat.
/clear forgets the conversation, /exit ends it, as does the end of the input.
--json: an object as of "run --json" a line, one for each answer.`,
  options: { Conversation: chatOptions, Sampling: samplingOptions, Model: modelOptions },
  async run(context, values) {
    const template = await readTemplate(values['chat-template']);
    return withModel(context, values, async (model) => {
      const session = await model.session();
      const system: ChatMessage[] = values.system === undefined ? [] : [{ role: 'system', content: values.system }];
      const chat: Answers = (messages, options) => session.chat(messages, { ...options, template });
      // Renders the template without running it: a model that cannot chat says so before anything is typed.
      chat([...system, { role: 'user', content: 'Hi' }]);
      return converse(context, values, { model, session, chat }, system);
    });
  },
});

type Answers = Session['chat'];

interface Partner {
  readonly model: Model;
  readonly session: Session;
  readonly chat: Answers;
}

/** More bytes than a template may have characters: the library refuses what is cut here. */
const MAX_TEMPLATE_BYTES = 2 ** 18 + 1;

/** A name, or the text of a file; a name goes first, so that a file of that name is ./NAME. */
async function readTemplate(value: string | undefined): Promise<string | undefined> {
  if (value === undefined || templateNames.includes(value)) return value;
  try {
    const file = await open(value);
    try {
      const bytes = new Uint8Array(MAX_TEMPLATE_BYTES);
      let length = 0;
      // A pipe gives it in pieces.
      for (let read = -1; read !== 0 && length < bytes.length; length += read)
        read = (await file.read(bytes, length, bytes.length - length, null)).bytesRead;
      return new TextDecoder().decode(bytes.subarray(0, length));
    } finally {
      await file.close();
    }
  } catch (cause) {
    const meant = nearest(value, templateNames);
    const names = meant
      ? `; did you mean ${meant}?`
      : `, expected ${templateNames.join(', ')}, or a file of Jinja text`;
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such name or file' : (cause as Error).message;
    throw new UsageError(`--chat-template: got "${value}": ${why}${names}`);
  }
}

async function converse(
  context: Context,
  values: ChatValues,
  partner: Partner,
  system: readonly ChatMessage[],
): Promise<number> {
  const { io, interrupt } = context;
  const input = openInput(context);
  let messages = [...system];
  try {
    for (;;) {
      const idle = interrupt.next();
      const line = await Promise.race([input.next(), aborted(idle)]);
      if (idle.aborted) {
        await print(io.stdout, io.stdin.isTTY ? '\n' : '');
        return INTERRUPTED;
      }
      if (line === undefined || line === '/exit') return 0;
      if (line === '/clear') messages = [...system];
      if (line === '/clear' || line.trim() === '') continue;
      messages.push({ role: 'user', content: line });
      try {
        const content = await answer(context, values, partner, messages);
        messages.push({ role: 'assistant', content });
      } catch (error) {
        if (!io.stdin.isTTY || !(error instanceof TernlightError) || error.code !== 'context-full') throw error;
        messages.pop();
        await print(
          io.stderr,
          `the conversation is longer than the context of ${partner.session.contextLength} tokens; /clear forgets it\n`,
        );
      }
    }
  } finally {
    input.close();
  }
}

async function answer(
  { io, interrupt }: Context,
  values: ChatValues,
  { model, chat }: Partner,
  messages: readonly ChatMessage[],
): Promise<string> {
  const generation = chat(messages, { ...generateOptions(values), signal: interrupt.next() });
  if (!values.json) {
    for await (const { text } of generation) await print(io.stdout, forStream(io.stdout, text));
    await print(io.stdout, '\n');
  }
  const summary = await generation.summary();
  if (values.json) await printJson(io.stdout, summaryJson(summary, model.info.loadMs));
  return summary.text;
}

interface LineInput {
  /** Undefined at the end of the input. */
  next(): Promise<string | undefined>;
  close(): void;
}

function openInput({ io, interrupt }: Context): LineInput {
  if (!io.stdin.isTTY) {
    const closing = new AbortController();
    const iterator = lines(io.stdin, closing.signal);
    return {
      next: async () => (await iterator.next()).value ?? undefined,
      close: () => io.stdin.destroy(),
    };
  }
  const terminal = createInterface({ input: io.stdin, output: io.stderr, prompt: '> ' });
  // The terminal is in raw mode: Ctrl-C arrives here, not as a signal.
  terminal.on('SIGINT', () => interrupt.trigger());
  const iterator = terminal[Symbol.asyncIterator]();
  return {
    async next() {
      terminal.prompt();
      return (await iterator.next()).value ?? undefined;
    },
    close: () => terminal.close(),
  };
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}
