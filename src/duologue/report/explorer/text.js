// What a corpus says is text and stays text: it reaches the page through textContent alone.
const UNFIT = /[\p{Cc}\p{Cs}\p{Cn}\u202a-\u202e\u2066-\u2069]/gu;
const clean = (value) => String(value ?? "").replace(/[\n\r\t]/g, " ").replace(UNFIT, "\ufffd");

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : clean(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === "" || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(clean(child)));
  }
  return node;
}
const byId = (id) => document.getElementById(id);
const bdi = (text) => make("bdi", { dir: "auto" }, text);
const data = (id) => { const block = byId(id); return block ? JSON.parse(block.textContent) : null; };
const plain = (name) => String(name ?? "").replaceAll("_", " ");
const clock = (t) => {
  const m = Math.floor(t / 60);
  return `${m}:${(t - 60 * m).toFixed(1).padStart(4, "0")}`;
};
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const ROLES = ["user", "system", "third_party", "addressee"];
const roleOf = (role) => (ROLES.includes(role) ? role : "user");
