export type Perplexity = any;
export const perplexity: any = () => {}; // placeholder
