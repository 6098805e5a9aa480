// Keeps a page up to date: polls its JSON, sets the numbers that it names, and where more than
// numbers has changed takes the page's new <main>. The page works without it.
"use strict";
const EVERY = 10000;
const at = (facts, path) => path.split(".").reduce((found, key) => found?.[key], facts);
const shape = (facts) => JSON.stringify(facts, (_, value) => (typeof value === "number" ? 0 : value));

let known = null;
const poll = async () => {
  const main = document.querySelector("main[data-poll]");
  if (!main || document.hidden) return;
  const answer = await fetch(main.dataset.poll);
  if (!answer.ok) return;
  const facts = await answer.json();
  const bound = main.querySelectorAll("[data-fact]");
  const now = bound.length ? shape(facts) : JSON.stringify(facts);
  for (const element of bound) {
    const value = at(facts, element.dataset.fact);
    const whole = element.dataset.whole;
    if (element.tagName === "METER") element.value = value;
    else element.textContent = whole ? `${Math.round((100 * value) / whole)} %` : value;
  }
  if (known !== null && now !== known) {
    if (isInUse(main)) return;
    await renew(main);
  }
  known = now;
};
// Nobody loses the place where they are, or what they have opened.
const isInUse = (main) => {
  const on = document.activeElement;
  const opened = main.querySelector("details[open]") || document.querySelector("dialog[open]");
  return opened || (main.contains(on) && !on.dataset.ask);
};
const renew = async (main, address = window.location.href) => {
  const answer = await fetch(address);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const asked = document.activeElement?.dataset.ask;
  const [was, is] = [document, page].map((each) => each.querySelector("#said"));
  if (is && was.textContent !== is.textContent) was.textContent = is.textContent;
  main.replaceWith(document.adoptNode(page.querySelector("main")));
  if (asked) document.querySelector(`[data-ask="${CSS.escape(asked)}"]`)?.focus();
  showCopyButtons();
};
const again = () => poll().catch(() => {}).finally(() => setTimeout(again, EVERY));

// Copies what stands beside the button; without the permission, by way of a selection.
const showCopyButtons = () => {
  for (const button of document.querySelectorAll("button.copy")) button.hidden = false;
};
const select = (element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
};
const copy = async (element) => {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    select(element);
    return document.execCommand("copy");
  }
};
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const done = await copy(document.getElementById(button.dataset.of));
  button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
});
showCopyButtons();
setTimeout(again, EVERY);
