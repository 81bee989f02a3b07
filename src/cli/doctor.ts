// ternlight doctor: what this environment offers, and what speed to expect.
import type { Environment } from '../environment.ts';
import { knownModels } from '../hub/known-models.ts';
import { countsOf } from '../hub/shapes.ts';
import { examine } from '../index.ts';
import { command } from './command.ts';
import { print, printJson } from './io.ts';
import { figure, scaled, table } from './text.ts';

/** Models that the speed is told for: a small, a middle and a large one. */
const SHOWN = ['bitnet_b1_58-large', 'BitNet b1.58 2B-4T', 'Falcon3 7B Instruct 1.58bit'];

export const doctor = command({
  name: 'doctor',
  summary: 'what this environment offers, and what speed to expect',
  details: `Takes about a second. Speeds are estimates for one thread: ternary weights by the kernel that would be used, on a
small matrix, and an int8 head by how fast memory is read; attention and prompts are not in them.
--json: {runtime, cores, build, kernel, threads, findings: [{what, ok, detail}],
speed: {weightsPerSecond, bytesPerSecond}}.`,
  options: {},
  async run({ io }, values) {
    const environment = await examine();
    if (values.json) await printJson(io.stdout, environment);
    else await print(io.stdout, report(environment));
    return environment.build ? 0 : 1;
  },
});

function report(environment: Environment): string {
  const { runtime, cores, build, kernel, threads, findings } = environment;
  const facts = [
    ['runtime', `${runtime}, ${cores} cores`],
    ['runs with', build ? `build ${build}, kernel ${kernel}, ${threads} threads` : 'nothing: see below'],
    ...findings.map(({ what, ok, detail }) => [what, `${ok ? 'yes' : 'NO'}: ${detail}`]),
  ];
  return table(facts) + expected(environment);
}

function expected({ speed }: Environment): string {
  if (!speed) return '';
  const rows = knownModels
    .filter(({ name }) => SHOWN.includes(name))
    .map(({ name, shape }) => {
      const { low, embedding } = countsOf(shape);
      const seconds = low / speed.weightsPerSecond + embedding / speed.bytesPerSecond;
      return [name, figure(1 / seconds)];
    });
  const rates = `one thread: ${scaled(speed.weightsPerSecond).trim()} weights/s, memory ${scaled(speed.bytesPerSecond).trim()}B/s`;
  return `\n${rates}\n${table([['model', 'about tok/s'], ...rows], [1])}`;
}
