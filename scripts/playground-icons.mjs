// Draws the playground's PNG icons from icons/icon.svg with Chromium: CHROMIUM=path node scripts/playground-icons.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const icons = new URL('../examples/playground/icons/', import.meta.url);
const svg = readFileSync(new URL('icon.svg', icons), 'utf8');
/** Maskable ones have no corners of their own, and keep to the middle: the system cuts them to its shape. */
const maskable = svg
  .replace('rx="112"', '')
  .replace('viewBox="0 0 512 512"', 'viewBox="-56 -56 624 624"')
  .replace('<rect width="512" height="512"', '<rect x="-56" y="-56" width="624" height="624"');
const wanted = [
  ['icon-192.png', svg, 192],
  ['icon-512.png', svg, 512],
  ['maskable-512.png', maskable, 512],
];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  for (const [name, text, size] of wanted) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    await page.setContent(`<style>body{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${text}`);
    writeFileSync(fileURLToPath(new URL(name, icons)), await page.screenshot({ omitBackground: true }));
    await page.close();
  }
} finally {
  await browser.close();
}
