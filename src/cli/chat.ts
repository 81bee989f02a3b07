// ternlight chat: a conversation, by the chat template in the model file.
import { createInterface } from 'node:readline';
import type { ChatMessage, Model, Session } from '../index.ts';
import { TernlightError } from '../index.ts';
import { type Context, command } from './command.ts';
import { INTERRUPTED } from './interrupt.ts';
import { lines, print, printJson } from './io.ts';
import { modelOptions, withModel } from './model-options.ts';
import type { Options, Values } from './options.ts';
import { generateOptions, lengthOptions, samplingOptions, summaryJson } from './sampling-options.ts';
import { forStream } from './text.ts';

const { special: _, ...lengths } = lengthOptions; // what a user types is never parsed for special tokens
const chatOptions = {
  system: { type: 'text', short: 's', value: 'TEXT', help: 'system prompt' },
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
  run: (context, values) =>
    withModel(context, values, async (model) => {
      const session = await model.session();
      const system: ChatMessage[] = values.system === undefined ? [] : [{ role: 'system', content: values.system }];
      // Renders the template without running it: a model that cannot chat says so before anything is typed.
      session.chat([...system, { role: 'user', content: 'Hi' }]);
      return converse(context, values, model, session, system);
    }),
});

async function converse(
  context: Context,
  values: ChatValues,
  model: Model,
  session: Session,
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
        const content = await answer(context, values, model, session, messages);
        messages.push({ role: 'assistant', content });
      } catch (error) {
        if (!io.stdin.isTTY || !(error instanceof TernlightError) || error.code !== 'context-full') throw error;
        messages.pop();
        await print(
          io.stderr,
          `the conversation is longer than the context of ${session.contextLength} tokens; /clear forgets it\n`,
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
  model: Model,
  session: Session,
  messages: readonly ChatMessage[],
): Promise<string> {
  const generation = session.chat(messages, { ...generateOptions(values), signal: interrupt.next() });
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
