// Answers FHIRPath questions, one JSON object a line: {expression, model, focus, current, previous}.
// The answer is {result: [...]} or {error: true}; messages are left out, for they quote values.
const readline = require('readline');
const fhirpath = require('fhirpath');
const models = { r4: require('fhirpath/fhir-context/r4'), r5: require('fhirpath/fhir-context/r5') };

function answer(question) {
  const orNothing = (state) => (state === null || state === undefined ? [] : state);
  const variables = {
    current: orNothing(question.current),
    previous: orNothing(question.previous),
    resource: orNothing(question.focus),
    rootResource: orNothing(question.focus),
  };
  const focus = orNothing(question.focus);
  try {
    return { result: fhirpath.evaluate(focus, question.expression, variables, models[question.model], {}) };
  } catch {
    return { error: true };
  }
}

// fhirpath.js reports on the console what it does; only answers belong there.
const out = process.stdout;
for (const method of ['log', 'info', 'warn', 'debug', 'error']) console[method] = () => {};

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  let text;
  try {
    text = JSON.stringify(answer(JSON.parse(line)));
  } catch {
    text = '{"error":true}';
  }
  out.write(text + '\n');
});
