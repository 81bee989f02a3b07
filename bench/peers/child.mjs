// The process of a turn in Node: child.mjs MODULE OPTIONS. Sends { result } or { error }.
const [, , module, options] = process.argv;

/** Where the system counts it in kB, and Node gives it so. */
const peakMB = () => Math.round(process.resourceUsage().maxRSS / 1024);

// Whoever asked is gone.
process.on('disconnect', () => process.exit(1));
try {
  const { turn } = await import(`./${module}.mjs`);
  const result = await turn(JSON.parse(options));
  process.send({ result: { ...result, peakMB: peakMB() } }, () => process.exit());
} catch (error) {
  process.send({ error: String(error?.message ?? error) }, () => process.exit(1));
}
