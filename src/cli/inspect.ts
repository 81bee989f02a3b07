// ternlight inspect: what a model file holds and what memory it would need. Reads its header only.
import { type Inspection, inspect as inspectFile } from '../index.ts';
import { command } from './command.ts';
import { print, printJson } from './io.ts';
import { loadOptions, modelOptions } from './model-options.ts';
import { bytes, printable, scaled, table } from './text.ts';

const { variant: _, kernel: __, refresh: ___, sha256: ____, ...headerOptions } = modelOptions; // they change nothing that is told here

export const inspect = command({
  name: 'inspect',
  summary: 'metadata, tensors, encodings, parameters and memory of a model file',
  details: 'Reads the header only. The memory plan is for the options given.',
  options: { Model: headerOptions },
  async run({ io, interrupt: { signal } }, values) {
    const inspection = await inspectFile(values.model, { ...loadOptions(values), signal });
    if (values.json) await printJson(io.stdout, inspection);
    else await print(io.stdout, printable(describe(inspection)));
    return 0;
  },
});

function describe(i: Inspection): string {
  const facts = [
    ['name', i.name],
    ['format', i.format],
    ['architecture', i.architecture ?? 'not told'],
    ['parameters', `${scaled(i.parameters).trim()}, ${scaled(i.ternaryParameters).trim()} of them ternary`],
    ['tensors', `${i.tensors.length}, ${bytes(i.bytes)}`],
    ['encodings', encodings(i)],
    ...memoryFacts(i),
    ...i.notes.map((note) => ['note', note]),
  ];
  return [
    table(facts),
    '\nmetadata\n',
    table(i.metadata.map(([key, value]) => [`  ${key}`, value.replaceAll('\n', '\\n')])),
    i.tensors.length === 0 ? '' : '\ntensors\n',
    table(
      i.tensors.map((t) => [`  ${t.name}`, `[${t.dims.join(', ')}]`, t.encoding, bytes(t.bytes)]),
      [3],
    ),
  ].join('');
}

function encodings({ tensors }: Inspection): string {
  const counts = new Map<string, { tensors: number; bytes: number }>();
  for (const { encoding, bytes: size } of tensors) {
    const sum = counts.get(encoding) ?? { tensors: 0, bytes: 0 };
    counts.set(encoding, { tensors: sum.tensors + 1, bytes: sum.bytes + size });
  }
  const parts = [...counts].map(([name, sum]) => `${name} (${sum.tensors} tensors, ${bytes(sum.bytes)})`);
  return parts.join(', ') || 'none';
}

function memoryFacts({ memory, head }: Inspection): string[][] {
  if (!memory) return [['memory', 'no plan: not a model that can be run']];
  return [
    ['weights', `${bytes(memory.weightsBytes)} in memory, head ${head}`],
    ['cache', `${bytes(memory.kvBytesPerSession)} a session`],
    ['activations', bytes(memory.activationsBytes)],
    ['other', bytes(memory.otherBytes)],
    ['memory', `${bytes(memory.oneSessionBytes)} with one session`],
  ];
}
