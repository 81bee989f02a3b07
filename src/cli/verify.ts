// ternlight verify: what a model file is, whether it is sound, and how it compares with another.
import { load, packagedModel, TernlightError } from '../index.ts';
import { type CompareOptions, type Comparison, compareModels } from '../verify/compare.ts';
import type { Finding } from '../verify/finding.ts';
import { type Verification, verifyModel } from '../verify/verify.ts';
import { type Context, command } from './command.ts';
import { print, printJson } from './io.ts';
import { withModelFile } from './model-file.ts';
import { loadOptions, modelOptions } from './model-options.ts';
import { UsageError, type Values } from './options.ts';
import { Progress } from './progress.ts';
import { bytes, figure, printable, scaled, table } from './text.ts';

const checkOptions = {
  quick: { type: 'flag', help: 'look at the header only' },
  against: { type: 'text', value: 'OTHER', help: 'compare logits with those of this file' },
  prompt: { type: 'texts', value: 'TEXT', help: 'with --against: compare on this text; may be repeated' },
  top1: {
    type: 'number',
    value: 'SHARE',
    min: 0,
    max: 1,
    default: 0.9,
    help: 'with --against: fail where fewer positions have the same likeliest token',
  },
} as const;

const { ctx: _, variant: __, kernel: ___, sha256: ____, ...ofModel } = modelOptions;
const options = { Check: checkOptions, Model: ofModel } as const;

type VerifyValues = Values<typeof checkOptions> & Values<(typeof options)['Model']>;

export const verify = command({
  name: 'verify',
  argument: 'FILE',
  summary: 'check a model file, or compare two',
  details: `FILE is what -m takes. Reads all weights; runs the model only where the order of I2_S codes has to be found out.
Exit code 1 where there are errors, or --against finds the two too different; warnings do not fail.
--json: {source, format, architecture, resembles, vocabulary, encodings, i2s, zeroShare, checkedBytes, findings:
[{level: error|warning|note, where, what, cure?}], comparison?: {positions, relativeRms, maxDifference, top1, nll,
otherNll, notes}, ok}.`,
  options,
  async run(context, values, argument) {
    if (argument !== undefined && values.model !== undefined)
      throw new UsageError('-m: got FILE too, expected one of them');
    if (values.prompt.length > 0 && values.against === undefined)
      throw new UsageError('--prompt: got no --against, expected both');
    const source = argument ?? values.model ?? packagedModel;
    const { io } = context;
    const verification = await checked(context, source, values);
    const sound = !verification.findings.some(({ level }) => level === 'error');
    if (!values.json) await print(io.stdout, printable(report(verification)));
    let comparison: Comparison | undefined;
    // A damaged file has no logits worth comparing.
    if (values.against !== undefined && sound) comparison = await compared(context, source, values.against, values);
    const ok = sound && (comparison === undefined || comparison.top1 >= values.top1);
    if (values.json) await printJson(io.stdout, { ...verification, comparison, ok });
    else if (comparison) await print(io.stdout, printable(comparisonReport(comparison, values.against!, values.top1)));
    return ok ? 0 : 1;
  },
});

async function checked(context: Context, source: string | URL, values: VerifyValues): Promise<Verification> {
  const { io, interrupt } = context;
  const { signal } = interrupt;
  const progress = new Progress(io.stderr);
  const asked = values['i2s-layout'] ?? 'auto';
  const layout = asked === 'auto' ? undefined : asked;
  try {
    // The order of I2_S codes is a finding of verifyModel, and no reason not to open the file.
    return await withModelFile(context, source, { ...values, 'i2s-layout': layout ?? 'x86' }, (file) =>
      verifyModel(file, {
        signal,
        quick: values.quick,
        i2sLayout: layout,
        onProgress: (done, total) => progress.show('checking', done, total, ` of ${bytes(total)}`),
        loadAs: (i2sLayout) => loadQuietly(source, values, { i2sLayout, signal }, progress),
      }),
    );
  } catch (error) {
    // Not even a header that can be understood: that is the verdict.
    if (!(error instanceof TernlightError) || !['invalid-file', 'unsupported'].includes(error.code)) throw error;
    return unreadable(String(source), error);
  } finally {
    progress.clear();
  }
}

async function compared(
  context: Context,
  source: string | URL,
  other: string,
  values: VerifyValues,
): Promise<Comparison> {
  const { io, interrupt } = context;
  const { signal } = interrupt;
  const progress = new Progress(io.stderr);
  const texts: CompareOptions = values.prompt.length > 0 ? { texts: values.prompt } : {};
  try {
    return await compareModels(
      () => loadQuietly(source, values, { signal }, progress),
      () => loadQuietly(other, values, { i2sLayout: 'auto', signal }, progress),
      { ...texts, signal, onProgress: (done, total) => progress.show('comparing', done, total) },
    );
  } finally {
    progress.clear();
  }
}

function loadQuietly(
  source: string | URL,
  values: VerifyValues,
  more: Pick<NonNullable<Parameters<typeof load>[1]>, 'i2sLayout' | 'signal'>,
  progress: Progress,
): ReturnType<typeof load> {
  return load(source, {
    ...loadOptions(values),
    ...more,
    onProgress: ({ loadedBytes, totalBytes }) => {
      if (totalBytes !== undefined) progress.show('loading', loadedBytes, totalBytes, ` of ${bytes(totalBytes)}`);
    },
  });
}

function unreadable(source: string, error: TernlightError): Verification {
  return {
    ...{ source, format: 'not told', architecture: undefined, resembles: undefined, vocabulary: undefined },
    ...{ encodings: [], i2s: undefined, zeroShare: undefined, checkedBytes: 0 },
    findings: [{ level: 'error', where: 'file', what: error.message }],
  };
}

function report(v: Verification): string {
  const facts = [
    ['file', v.source],
    ['format', v.format],
    ['architecture', `${v.architecture ?? 'not told'}${v.resembles ? `, of the shape of ${v.resembles}` : ''}`],
    ...(v.vocabulary ? [['vocabulary', v.vocabulary]] : []),
    ...v.encodings.map(({ name, tensors, weights, bytes: size }, i) => [
      i === 0 ? 'encodings' : '',
      `${name}: ${tensors} tensors, ${scaled(weights).trim()} weights, ${bytes(size)}`,
    ]),
    ...(v.zeroShare === undefined ? [] : [['zeros', `${(100 * v.zeroShare).toFixed(1)} % of the ternary weights`]]),
    ['checked', v.checkedBytes === 0 ? 'the header only' : `${bytes(v.checkedBytes)} of weights`],
  ];
  const counts = (['error', 'warning'] as const).map((level) => {
    const count = v.findings.filter((finding) => finding.level === level).length;
    return `${count === 0 ? 'no' : count} ${level}${count === 1 ? '' : 's'}`;
  });
  return [table(facts), '\n', ...v.findings.map(line), `${counts.join(', ')}\n`].join('');
}

function line({ level, where, what, cure }: Finding): string {
  return `${`${level}:`.padEnd(9)}${where}: ${what}${cure ? `; ${cure}` : ''}\n`;
}

function comparisonReport(c: Comparison, other: string, top1: number): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return [
    '\n',
    table([
      ['against', `${other}, ${c.positions} positions`],
      ['logits', `relative RMS ${figure(c.relativeRms)}, at most ${figure(c.maxDifference)} apart`],
      ['likeliest token', `the same at ${percent(c.top1)}${c.top1 < top1 ? `, expected ${percent(top1)}` : ''}`],
      ['nll', `${c.nll.toFixed(4)}, against ${c.otherNll.toFixed(4)} nats a token`],
      ...c.notes.map((note) => ['note', note]),
    ]),
  ].join('');
}
