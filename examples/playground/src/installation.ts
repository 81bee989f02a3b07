// The button to install the page as an application, where the browser offers that.
import { part } from './dom.ts';

/** Chromium's, not in the DOM's types. */
interface InstallPrompt extends Event {
  prompt(): Promise<unknown>;
}

export function startInstallation(): void {
  const button = part('install', 'button');
  let prompt: InstallPrompt | undefined;
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault();
    prompt = event as InstallPrompt;
    button.hidden = false;
  });
  addEventListener('appinstalled', () => {
    button.hidden = true;
  });
  button.addEventListener('click', () => {
    button.hidden = true;
    void prompt?.prompt();
  });
}
