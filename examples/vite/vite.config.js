import { defineConfig } from 'vite';

/** For several threads; without these headers one runs. A host of the built page has to send them too. */
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export default defineConfig({
  base: './', // the built page runs in any folder
  // While developing, Vite 7 would move the module away from the model beside it; Vite 8 does not need this.
  optimizeDeps: { exclude: ['ternlight'] },
  server: { headers },
  preview: { headers },
});
