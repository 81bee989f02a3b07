// ternlight convert: a model as a GGUF file that other engines read.
import { convertModel } from '../convert/convert.ts';
import { type Conversion, embeddingTargets, ternaryTargets } from '../convert/options.ts';
import { command } from './command.ts';
import { print, printJson } from './io.ts';
import { fileOptions, withModelFile } from './model-file.ts';
import { NewFile } from './new-file.ts';
import { UsageError } from './options.ts';
import { Progress } from './progress.ts';
import { bytes, dim, printable } from './text.ts';

export const convert = command({
  name: 'convert',
  argument: 'IN',
  second: 'OUT.gguf',
  summary: 'write a model as a GGUF file that other engines read',
  details: `IN is what -m of other commands takes: a path, an address, an hf: name.
TQ2_0 and TQ1_0 are for llama.cpp, I2_S is for bitnet.cpp; all of them run here.
OUT.gguf appears when it is complete, and not at all where something fails.
--json: {out, bytes, tensors, encodings: {NAME: tensors}, scaleRounding: {tensor, relative} or null, notes}.`,
  options: {
    Output: {
      ternary: {
        type: 'choice',
        choices: ternaryTargets,
        help: 'encoding of ternary and 1-bit matrices',
        otherwise: 'TQ2_0',
      },
      embedding: {
        type: 'choice',
        choices: embeddingTargets,
        help: 'encoding of embedding and head',
        otherwise: 'as in IN, else F16',
      },
      force: { type: 'flag', help: 'replace OUT.gguf if it is there' },
    },
    Input: fileOptions,
  },
  async run(context, values, input, out) {
    if (input === undefined || out === undefined)
      throw new UsageError(`${input === undefined ? 'IN' : 'OUT.gguf'}: missing, expected IN and OUT.gguf`);
    const { io, interrupt } = context;
    // First of all: who forgot --force should not wait for a download.
    const file = await NewFile.create(out, values.force);
    const progress = new Progress(io.stderr);
    let conversion: Conversion;
    const notes: string[] = [];
    try {
      conversion = await withModelFile(context, input, values, async (model, inputNotes) => {
        notes.push(...inputNotes);
        const conversion = convertModel(model, {
          ternary: values.ternary,
          embedding: values.embedding,
          signal: interrupt.signal,
          onProgress: (done, total) => progress.show('converting', done, total, ` of ${bytes(total)}`),
        });
        for await (const piece of conversion.pieces) await file.write(piece);
        return conversion;
      });
      // The input is closed by now: it may be what is replaced.
      await file.commit();
    } catch (error) {
      await file.discard();
      throw error;
    } finally {
      progress.clear();
    }
    const encodings = count(conversion.tensors.map(({ to }) => to));
    const { scaleRounding = null } = conversion;
    notes.push(...conversion.notes);
    if (values.json)
      await printJson(io.stdout, {
        ...{ out, bytes: conversion.fileBytes, tensors: conversion.tensors.length, encodings, scaleRounding, notes },
      });
    else {
      for (const note of [...notes, ...roundingNote(conversion)])
        await print(io.stderr, `${dim(io, io.stderr, `note: ${printable(note)}`)}\n`);
      const list = Object.entries(encodings).map(([name, tensors]) => `${tensors} ${name}`);
      await print(
        io.stdout,
        printable(
          `${out}: ${bytes(conversion.fileBytes)}, ${conversion.tensors.length} tensors (${list.join(', ')})\n`,
        ),
      );
    }
    return 0;
  },
});

function roundingNote({ scaleRounding }: Conversion): string[] {
  if (!scaleRounding) return [];
  const { tensor, relative } = scaleRounding;
  return [`scales are rounded to f16, by ${(100 * relative).toPrecision(2)} % at most (${tensor}); I2_S keeps them`];
}

function count(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
