// For drivers whose protocol has no console. Files of their own: policies forbid scripts in pages.
globalThis.pageLog = [];
addEventListener('error', (event) => pageLog.push(event.message));
addEventListener('unhandledrejection', (event) => pageLog.push(String(event.reason)));
for (const kind of ['warn', 'error']) {
  const original = console[kind];
  console[kind] = (...parts) => {
    pageLog.push(`${kind}: ${parts.join(' ')}`);
    original.apply(console, parts);
  };
}
