// One screen at a time, named by the address's fragment, so that "back" and bookmarks work.
import { Topic } from './topic.ts';

const NAMES = ['complete', 'chat', 'models', 'benchmark', 'settings'] as const;
type ScreenName = (typeof NAMES)[number];

export const screenShown = new Topic<ScreenName>();

function named(): ScreenName | undefined {
  return NAMES.find((name) => `#${name}` === location.hash);
}

function show(name: ScreenName, focus: boolean): void {
  for (const other of NAMES) document.getElementById(other)!.hidden = other !== name;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const heading = document.getElementById(`${name}-title`)!;
  document.title = `${heading.textContent} - ternlight playground`;
  document.getElementById('main')!.scrollTop = 0;
  if (focus) heading.focus({ preventScroll: true });
  screenShown.tell(name);
}

export function startScreens(): void {
  addEventListener('hashchange', () => {
    const name = named();
    if (name) show(name, true);
  });
  // The fragment is the screen's: the link to the content must not change it.
  document.querySelector('.skip')!.addEventListener('click', (event) => {
    event.preventDefault();
    document.getElementById('main')!.focus();
  });
  show(named() ?? 'complete', false);
}
