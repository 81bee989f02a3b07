// Generated from assembly/index.ts by scripts/build.mjs; do not edit. npm test fails if it is stale.
export interface Kernels {
  variantFlags(): number;
}
