// What files of BitNet b1.58 2B-4T have to be told otherwise, depending on who is to read them: the architecture's name
// and the chat template.

/**
 * The form that the model was trained with: "User: ", the trimmed text, end of turn. Files carry another one, which
 * microsoft/BitNet's converter writes ("Human: ... BITNETAssistant: ").
 */
export const bitnetChatTemplate = `{% for message in messages %}{{ message['role'] | capitalize + ': ' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}`;

/** Whether a template is the one that no model was trained with. */
export function isWrongBitnetTemplate(template: string): boolean {
  return template.includes('BITNETAssistant');
}

/** Names of the graph with squared ReLU that only bitnet.cpp knows. */
export function isBitnetB158(architecture: string): boolean {
  return /^bitnet-(b1\.58|25)$/.test(architecture);
}
