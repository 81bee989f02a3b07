// The ABI: one export line per kernel, in the order in which a token meets them. Numbers only; the host owns memory.
export { variantFlags } from './variant';
