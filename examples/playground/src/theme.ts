// Dark or light: as the system says, until the button says otherwise.
import { part } from './dom.ts';
import { recall, remember } from './local-values.ts';

const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

export function startTheme(): void {
  const button = part('theme', 'button');
  let theme = THEMES.find((name) => name === recall('theme')) ?? 'auto';
  const show = (wanted: Theme) => {
    theme = wanted;
    document.documentElement.dataset.theme = wanted;
    button.textContent = { auto: '◐', light: '☀', dark: '☾' }[wanted];
    button.title = `Colours: ${wanted}`;
    button.setAttribute('aria-label', `Colours: ${wanted}`);
  };
  button.addEventListener('click', () => {
    show(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!);
    remember('theme', theme);
  });
  show(theme);
}
