// Chat: a conversation in the model's chat form.
import type { ChatMessage } from 'ternlight';
import { attempt } from './announcements.ts';
import { make, part } from './dom.ts';
import type { ModelSlot } from './model-slot.ts';
import { screenShown } from './screens.ts';
import type { Settings } from './settings.ts';
import { figuresOf, type Writer } from './writer.ts';

export function startChat(slot: ModelSlot, settings: Settings, writer: Writer): void {
  const list = part('messages', 'ol');
  const message = part('message', 'textarea');
  const send = part('send', 'button');
  const stop = part('chat-stop', 'button');
  const fresh = part('new-chat', 'button');
  let conversation: ChatMessage[] = [];
  // It scrolls: WebKit lets the keyboard do that only where there is a tab stop.
  list.tabIndex = 0;

  const show = () => {
    const { model } = slot;
    const chats = slot.chats || settings.text('chatForm') !== '';
    part('no-chat', 'div').hidden = !model || chats;
    part('no-chat-name', 'strong').textContent = model?.info.name ?? '';
    send.hidden = writer.busy;
    stop.hidden = !writer.busy;
    send.disabled = !model || !chats;
    message.disabled = !model || !chats;
    fresh.disabled = writer.busy || conversation.length === 0;
  };

  function add(role: 'user' | 'assistant', content: string): { item: HTMLLIElement; said: HTMLParagraphElement } {
    const said = make('p', { className: 'said' }, content);
    const who = role === 'user' ? 'You' : (slot.model?.info.name ?? 'Model');
    const item = make('li', { className: role }, make('p', { className: 'role' }, who), said);
    list.append(item);
    list.scrollTop = list.scrollHeight;
    return { item, said };
  }

  async function go(): Promise<void> {
    const content = message.value.trim();
    if (content === '' || writer.busy) return;
    const model = slot.loaded();
    const asked: ChatMessage[] = [...conversation, { role: 'user', content }];
    const { systemPrompt } = settings;
    const whole = systemPrompt ? [{ role: 'system', content: systemPrompt }, ...asked] : asked;
    message.value = '';
    const question = add('user', content);
    const answer = add('assistant', '…');
    try {
      const summary = await writer.write(
        (signal) => model.chat(whole, { ...settings.generation(), signal }),
        (text) => {
          const follows = list.scrollTop + list.clientHeight > list.scrollHeight - 64;
          answer.said.textContent = text.trimStart(); // some forms leave the space behind the colon to the model
          if (follows) list.scrollTop = list.scrollHeight;
        },
      );
      conversation = [...asked, { role: 'assistant', content: summary.text }];
      answer.item.append(make('p', { className: 'figures' }, figuresOf(summary)));
    } catch (error) {
      // As if it had not been sent.
      question.item.remove();
      answer.item.remove();
      message.value = content;
      throw error;
    } finally {
      show();
      list.scrollTop = list.scrollHeight;
      if (document.activeElement === document.body) message.focus();
    }
  }

  part('composer', 'form').addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(go);
  });
  message.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void attempt(go);
  });
  stop.addEventListener('click', () => {
    writer.stop();
    message.focus();
  });
  fresh.addEventListener('click', () => {
    conversation = [];
    list.replaceChildren();
    show();
    message.focus();
  });
  screenShown.on(() => {
    list.scrollTop = list.scrollHeight;
  });
  settings.changed.on(show);
  writer.changed.on(show);
  slot.changed.on(show);
  show();
}
