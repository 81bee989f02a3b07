/** Builds the page into the folder `to` (default: examples/playground/dist), which is made anew. */
export declare function buildPlayground(to?: string): Promise<void>;
