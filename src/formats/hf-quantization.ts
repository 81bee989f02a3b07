// What config.json's quantization_config means for the weights of linear layers. Nothing in the weights themselves
// tells whether weight_scale multiplies or divides: both are near 1 in published models.

import { TernlightError } from '../errors.ts';
import type { JsonObject } from './hf-json.ts';
import type { HfModel } from './hf-model.ts';
import { quote } from './safetensors-text.ts';

/** What weight_scale does to ternary weights in a matrix product. */
export type ScaleUse = 'multiplies' | 'divides';

export interface Quantization {
  /** How packed weights are scaled; throws where nothing says it. @param tensor for the message */
  scaleUse(tensor: string): ScaleUse;
  /**
   * What float weights of a linear layer are: 'masters' to be quantised by the mean of their sizes, 'ternary-or-masters',
   * 'ternary-or-dense': scaled ternary weights where every row is, else the other.
   */
  readonly floats: 'masters' | 'ternary-or-masters' | 'ternary-or-dense';
  /** Whether a layer stays as it is. @param module "model.layers.0.mlp.down_proj" */
  keeps(module: string): boolean;
}

/** @param subNorms whether the checkpoint has attn_sub_norm tensors */
export function readQuantization(config: JsonObject, model: HfModel, subNorms: boolean): Quantization {
  const settings = config.object('quantization_config');
  if (!settings) return undeclared(config, model, subNorms);
  if (settings.raw('quant_method') !== 'bitnet') throw settings.unsupported('quant_method', '"bitnet"');
  const linear = settings.string('linear_class') ?? 'bitlinear';
  if (linear !== 'bitlinear' && linear !== 'autobitlinear') {
    throw settings.unsupported('linear_class', '"bitlinear" or "autobitlinear"');
  }
  const mode = settings.string('quantization_mode') ?? 'offline';
  if (mode !== 'offline' && mode !== 'online') throw settings.unsupported('quantization_mode', '"offline" or "online"');
  if (settings.boolean('use_rms_norm')) {
    throw settings.unsupported('use_rms_norm', 'false; a norm of its own before each linear layer is not done');
  }
  const kept = settings.list('modules_to_not_convert') ?? [];
  if (!kept.every((name) => typeof name === 'string'))
    throw settings.invalid('modules_to_not_convert', 'a list of names');
  return {
    scaleUse(tensor) {
      if (linear === 'bitlinear') return 'divides';
      if (mode === 'offline') return 'multiplies';
      throw new TernlightError(
        'invalid-file',
        `${settings.where}: quantization_mode is "online", but tensor ${quote(tensor)} is packed; expected "offline"`,
      );
    },
    // BitNet's own classes quantise whatever floats they have. Other classes are also published with ternary floats.
    floats: isBitnet(model) || mode === 'online' ? 'masters' : 'ternary-or-masters',
    keeps: (module) => kept.some((name) => `.${module}.`.includes(`.${name}.`)),
  };
}

function undeclared(config: JsonObject, model: HfModel, subNorms: boolean): Quantization {
  return {
    scaleUse(tensor) {
      if (model.architecture === 'llama') return 'divides';
      if (model.architecture === 'bitnet-b1.58' && subNorms) return 'multiplies';
      throw new TernlightError(
        'unsupported',
        `${config.where}: quantization_config is missing, but tensor ${quote(tensor)} is packed; it must say whether weight_scale multiplies or divides`,
      );
    },
    floats: isBitnet(model) ? 'masters' : 'ternary-or-dense',
    keeps: () => false,
  };
}

function isBitnet({ architecture }: HfModel): boolean {
  return architecture === 'bitnet' || architecture === 'bitnet-b1.58';
}
