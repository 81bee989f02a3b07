// The page without a network, and threads without a host's headers: both by the service worker.
import { offer } from './announcements.ts';
import { part } from './dom.ts';

const RELOADED = 'ternlight.reloaded';

/** Whether this is the first time in this tab; false where nothing can be remembered, so that nothing is done twice. */
function firstTime(): boolean {
  try {
    if (sessionStorage.getItem(RELOADED)) return false;
    sessionStorage.setItem(RELOADED, 'yes');
    return true;
  } catch {
    return false;
  }
}

/** Resolves when the worker controls the page; rejects when it could not be installed. */
function controlled(registration: ServiceWorkerRegistration): Promise<void> {
  const { serviceWorker } = navigator;
  if (serviceWorker.controller) return Promise.resolve();
  return new Promise((resolve, reject) => {
    serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true });
    const { installing } = registration;
    installing?.addEventListener('statechange', () => {
      if (installing.state === 'redundant') reject(new Error('it could not be kept (no space, or no permission?)'));
    });
  });
}

/** A new version waits until the old one's pages are closed, or until it is asked for. */
function watchUpdates(registration: ServiceWorkerRegistration): void {
  const { serviceWorker } = navigator;
  const waits = () => {
    const { waiting } = registration;
    if (!waiting || !serviceWorker.controller) return;
    offer('A new version of this page is here.', 'Use it now', () => {
      serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
      waiting.postMessage('take over');
    });
  };
  registration.addEventListener('updatefound', () => {
    const { installing } = registration;
    installing?.addEventListener('statechange', () => {
      if (installing.state === 'installed') waits();
    });
  });
  waits();
}

/**
 * Registers the service worker. Its answers carry the headers of isolation; where the host's do not, the page is loaded
 * again once: by itself while it is untouched, else when the user says so.
 */
export async function startOffline(untouched: () => boolean): Promise<void> {
  const state = part('offline-state', 'span');
  if (!('serviceWorker' in navigator)) {
    state.textContent = 'not available offline: this address is not secure (https), or the browser forbids it';
    return;
  }
  try {
    const registration = await navigator.serviceWorker.register('service-worker.js', { updateViaCache: 'none' });
    watchUpdates(registration);
    await controlled(registration);
  } catch (error) {
    state.textContent = `not available offline: ${(error as Error).message}`;
    return;
  }
  state.textContent = 'kept, works offline';
  if (crossOriginIsolated || !firstTime()) return;
  if (untouched()) location.reload();
  else offer('Several threads are possible once the page is loaded again.', 'Reload', () => location.reload());
}
