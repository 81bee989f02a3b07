// Texts that every English model predicts well, for telling a model from noise and for comparing two.

/** Ordinary prose, one paragraph: about 110 tokens. */
export const prose =
  'The sun was going down behind the hills when the old man closed the door of his shop and walked home along the ' +
  'river. He had sold bread in this town for more than forty years, and everybody knew his name. On the bridge he met ' +
  'two children who were looking at the water. "What are you looking for?" he asked. "We have lost our ball," said the ' +
  'girl, "and it is getting dark." The man smiled and took a long stick from the side of the road.';

/** Different kinds of text: prose, facts, code, numbers, a conversation. */
export const comparisonTexts: readonly string[] = [
  prose,
  'Paris is the capital of France. Berlin is the capital of Germany. Rome is the capital of Italy. Water boils at 100 ' +
    'degrees Celsius and freezes at 0 degrees.',
  'def add(a, b):\n    return a + b\n\nfor i in range(10):\n    print(i, add(i, 1))\n',
  'One, two, three, four, five, six, seven, eight, nine, ten. 2 + 2 = 4. 10 - 3 = 7.',
];
