// The form for a call: built from what the server says of modes, keys and controls.

const MOVED_AFTER_MS = 90;
const OWN_N = 1; // one sound at a time is what one plays with

export class Form {
  // onMove is called while a slider is moved.
  constructor(places, give, onMove) {
    this.places = places; // mode, source, controls, keys: elements to fill
    this.give = give; // the row by which a sound is given
    this.onMove = onMove;
    this.fields = new Map(); // key: {read, write, rows}
    this.timer = 0;
  }

  build(run) {
    this.run = run;
    this.fields.clear();
    for (const place of Object.values(this.places)) place.replaceChildren();
    this.mode = makeSelect("mode", "mode", run.modes.map((mode) => [mode.name, mode.name]), "");
    this.places.mode.append(this.mode.row);
    this.mode.input.addEventListener("change", () => this.show());
    if (run.controls.length) this.places.controls.append(makeHeading("controls"));
    for (const control of run.controls) this.addControl(control);
    for (const key of run.keys) {
      if (key.kind === "text" || this.fields.has(key.key)) continue;
      this.addKey(key);
    }
    this.listed = "";
    this.sourceFields = ["start from", "and from"].map((name, index) => makeSelect(`source-${index}`, name, [], ""));
    this.sourceFields[1].row.classList.add("second");
    this.places.source.append(...this.sourceFields.map((field) => field.row), this.give);
    this.setSources(run.sources);
    this.show();
  }

  addControl(control) {
    const words = [];
    words.push(`on unheard sound, what is heard follows it with a rank correlation of ${control.reliability.toFixed(2)}`);
    if (!control.is_named) words.push("it has no name, as it does not keep its word");
    if (control.leakage) words.push(`moves along: ${control.leakage}`);
    const step = niceStep(control.low, control.high);
    // Whole steps from nothing, which must be a place where the slider can rest.
    const [low, high] = [Math.ceil(control.low / step), Math.floor(control.high / step)].map((n) => Number((n * step).toPrecision(6)));
    const field = makeSlider(control.key, control.name, low, high, step, 0, control.unit, words.join("; "), true);
    this.add(control.key, field, [], this.places.controls, (value) => (Number(value) === 0 ? "" : String(Number(value))));
    field.input.addEventListener("input", () => this.moved());
  }

  addKey(key) {
    const name = key.key.replaceAll("_", " ").replace(/ s$/, "");
    const value = key.key === "n" ? OWN_N : key.default;
    let field;
    if (key.kind === "switch") field = makeSwitch(key.key, name, value, key.help);
    else if (key.kind === "choice") field = makeSelect(key.key, name, key.choices.map((one) => [one, one]), key.help, value);
    else if (key.low !== null && key.high !== null && key.high <= 20) {
      const step = key.is_whole ? 1 : niceStep(key.low, key.high);
      field = makeSlider(key.key, name, key.low, key.high, step, value, key.unit, key.help, false);
    } else field = makeNumber(key.key, name, key, value);
    const read = key.kind === "switch" || key.kind === "choice" ? (one) => one : Number;
    this.add(key.key, field, key.modes, this.places.keys, read);
    if (field.input.type === "range") field.input.addEventListener("input", () => this.moved());
  }

  add(key, field, modes, place, read) {
    place.append(field.row);
    // A sound of the command line may have had a curve here, which stays until the slider is moved.
    const entry = { ...field, modes, curve: "" };
    entry.read = () => entry.curve || read(field.value());
    entry.write = (value) => {
      entry.curve = typeof value === "string" && value.includes(":") ? value : "";
      if (!entry.curve) field.write(value);
    };
    field.input.addEventListener("input", () => { entry.curve = ""; });
    this.fields.set(key, entry);
  }

  moved() {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.onMove, MOVED_AFTER_MS);
  }

  get nSources() { return this.run.modes.find((mode) => mode.name === this.mode.value()).n_sources; }

  show() {
    for (const field of this.fields.values()) {
      field.row.hidden = field.modes.length > 0 && !field.modes.includes(this.mode.value());
    }
    this.places.source.hidden = this.nSources === 0;
    this.places.source.querySelectorAll(".second").forEach((row) => { row.hidden = this.nSources < 2; });
  }

  // What a call may start from; what was chosen stays chosen while it is there.
  setSources(sources) {
    const options = [["", "what the run held out"], ...sources.map((source) => [source.id, `${source.name}${source.kind === "held_out" ? " (held out)" : ""}`])];
    const words = JSON.stringify(options);
    if (words === this.listed) return;
    this.listed = words;
    for (const { input } of this.sourceFields) {
      const chosen = input.value;
      input.replaceChildren(...options.map(([id, name]) => new Option(name, id)));
      if (options.some(([id]) => id === chosen)) input.value = chosen;
    }
  }

  get sources() {
    if (this.nSources === 0) return [];
    const chosen = this.sourceFields.slice(0, this.nSources).map((field) => field.value());
    return chosen.every(Boolean) ? chosen : chosen.slice(0, 1).filter(Boolean);
  }

  choose(source) { this.sourceFields[0].write(source); }

  settings() {
    const found = { mode: this.mode.value() };
    for (const [key, field] of this.fields) {
      if (field.row.hidden) continue;
      const value = field.read();
      if (value !== "" && !Number.isNaN(value)) found[key] = value;
    }
    return found;
  }

  // Shows the settings of a sound that was made.
  fill(settings, sources) {
    if (settings.mode) this.mode.write(settings.mode);
    for (const [key, field] of this.fields) {
      if (key === "n") field.write(OWN_N);
      else if (settings[key] !== undefined && settings[key] !== "auto") field.write(settings[key]);
    }
    this.show();
    sources.slice(0, 2).forEach((source, index) => this.sourceFields[index].write(source));
  }

  write(key, value) { this.fields.get(key).write(value); }
  value(key) { return this.fields.get(key).read(); }
}

function makeHeading(words) {
  const heading = document.createElement("h3");
  heading.textContent = words;
  return heading;
}

function makeRow(key, name, input, help) {
  const row = document.createElement("div");
  row.className = "field";
  const label = document.createElement("label");
  label.htmlFor = input.id = `field-${key}`;
  input.name = key;
  const words = document.createElement("span");
  words.textContent = name;
  label.append(words);
  row.append(label, input);
  if (help) {
    label.title = help;
    const hint = document.createElement("p");
    hint.className = "help";
    hint.id = `help-${key}`;
    hint.textContent = help;
    input.setAttribute("aria-describedby", hint.id);
    row.append(hint);
  }
  return { row, label };
}

function makeSelect(key, name, options, help, value) {
  const input = document.createElement("select");
  for (const [id, words] of options) input.append(new Option(words, id));
  if (value !== undefined) input.value = value;
  return { ...makeRow(key, name, input, help), input, value: () => input.value, write: (one) => { if ([...input.options].some((option) => option.value === String(one))) input.value = one; } };
}

function makeSwitch(key, name, value, help) {
  const input = document.createElement("input");
  input.type = "checkbox";
  input.checked = value;
  const { row, label } = makeRow(key, name, input, help);
  label.className = "check";
  label.prepend(input);
  return { row, input, value: () => input.checked, write: (one) => { input.checked = one; } };
}

function makeNumber(key, name, limits, value) {
  const input = document.createElement("input");
  input.type = "number";
  input.step = limits.is_whole ? "1" : "any";
  if (limits.low !== null) input.min = limits.low;
  if (limits.high !== null) input.max = limits.high;
  input.value = value;
  const unit = limits.unit ? ` (${limits.unit})` : "";
  return { ...makeRow(key, name + unit, input, limits.help), input, value: () => (input.value === "" ? Number.NaN : input.value), write: (one) => { input.value = one; } };
}

function makeSlider(key, name, low, high, step, value, unit, help, isOffset) {
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min: low, max: high, step });
  input.value = value ?? low;
  const { row, label } = makeRow(key, name, input, help);
  const output = document.createElement("output");
  output.htmlFor = input.id;
  label.append(output);
  const show = () => {
    const number = Number(input.value);
    const words = `${isOffset && number > 0 ? "+" : ""}${number}${unit ? ` ${unit}` : ""}`;
    output.textContent = words;
    input.setAttribute("aria-valuetext", words);
  };
  input.addEventListener("input", show);
  show();
  return { row, input, value: () => input.value, write: (one) => { input.value = one; show(); } };
}

function niceStep(low, high) {
  const rough = (high - low) / 100;
  const power = 10 ** Math.floor(Math.log10(rough));
  return Number(([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power).toPrecision(2));
}
