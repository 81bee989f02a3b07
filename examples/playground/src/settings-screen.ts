// The settings as a form, made from their fields.
import { attempt } from './announcements.ts';
import { make, part } from './dom.ts';
import type { ModelSlot } from './model-slot.ts';
import { type Field, type FieldName, fieldNames, fields, type Settings } from './settings.ts';

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

function control(field: Field, id: string): Control {
  if (field.kind === 'text') return make('textarea', { id, rows: 3, placeholder: field.empty });
  if (field.kind === 'choice')
    return make(
      'select',
      { id },
      make('option', { value: '' }, field.empty),
      ...field.choices.map((value) => make('option', { value }, value)),
    );
  const inputMode = field.step === 1 ? 'numeric' : 'decimal';
  return make('input', { id, type: 'text', inputMode, autocomplete: 'off', placeholder: field.empty });
}

export function startSettings(slot: ModelSlot, settings: Settings): void {
  const form = part('settings-form', 'form');
  const apply = part('reload-model', 'button');
  const state = part('settings-state', 'output');
  const controls = new Map<FieldName, Control>();
  /** What the loaded model was loaded with. */
  let applied = '';
  const loading = () => JSON.stringify(settings.loading());
  const show = () => {
    apply.disabled = !slot.source || applied === loading();
  };

  function row(name: FieldName): HTMLElement {
    const field: Field = fields[name];
    const input = control(field, `set-${name}`);
    const hint = make('p', { id: `hint-${name}` }, field.hint);
    input.setAttribute('aria-describedby', hint.id);
    input.value = settings.text(name);
    input.addEventListener('change', () => {
      try {
        settings.set(name, input.value);
        input.removeAttribute('aria-invalid');
        hint.className = '';
        hint.textContent = field.hint;
      } catch (error) {
        input.setAttribute('aria-invalid', 'true');
        hint.className = 'wrong';
        hint.textContent = `${(error as Error).message}; it stays ${settings.text(name) || 'empty'}`;
      }
    });
    controls.set(name, input);
    const label = make('label', { htmlFor: input.id }, field.label);
    return make('div', { className: field.kind === 'text' ? 'field wide' : 'field' }, label, input, hint);
  }

  for (const group of new Set(fieldNames.map((name) => fields[name].group))) {
    const legend = group === 'Model' ? 'Model (needs to be loaded again)' : group;
    const rows = fieldNames.filter((name) => fields[name].group === group).map(row);
    form.append(make('fieldset', {}, make('legend', {}, legend), ...rows));
  }
  form.addEventListener('submit', (event) => event.preventDefault());
  settings.changed.on((name) => {
    controls.get(name)!.value = settings.text(name);
    state.textContent = '';
    show();
  });
  slot.changed.on(() => {
    applied = loading();
    show();
  });
  apply.addEventListener('click', () =>
    attempt(async () => {
      await slot.load(slot.source!, settings.loading());
      state.textContent = 'The model was loaded again.';
    }),
  );
  part('reset', 'button').addEventListener('click', () => {
    settings.reset();
    for (const input of controls.values()) input.dispatchEvent(new Event('change'));
    state.textContent = 'All settings are empty again.';
  });
}
