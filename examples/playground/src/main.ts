// The playground: a page of ternlight, by its public API alone. Who knows whom is told here.
import { attempt } from './announcements.ts';
import { startBenchmark } from './benchmark-screen.ts';
import { startChat } from './chat-screen.ts';
import { startComplete } from './complete-screen.ts';
import { startInstallation } from './installation.ts';
import { startLoadProgress } from './load-progress.ts';
import { ModelSlot } from './model-slot.ts';
import { startModels } from './models-screen.ts';
import { startOffline } from './offline.ts';
import { startScreens } from './screens.ts';
import { Settings } from './settings.ts';
import { startSettings } from './settings-screen.ts';
import { packaged } from './sources.ts';
import { startStatusLine } from './status-line.ts';
import { startTheme } from './theme.ts';
import { Writer } from './writer.ts';

const settings = new Settings();
const writer = new Writer();
const slot = new ModelSlot(() => writer.finish());

startTheme();
startInstallation();
startLoadProgress(slot);
startStatusLine(slot, writer);
startComplete(slot, settings, writer);
startChat(slot, settings, writer);
startModels(slot, settings);
startBenchmark(slot, settings, writer);
startSettings(slot, settings);
startScreens();

addEventListener('keydown', ({ key }) => {
  if (key === 'Escape') writer.stop();
});

let touched = false;
for (const type of ['keydown', 'pointerdown', 'drop'])
  addEventListener(type, () => {
    touched = true;
  });

await attempt(() => slot.load(packaged, settings.loading()));
// After the model, so that the service worker finds it in the browser's cache.
await startOffline(() => !touched);
// For who drives the page from outside.
Object.assign(globalThis, { ready: true });
