// Asks what an action takes before it acts, and shows what has become of it.
"use strict";
const dialog = document.querySelector("#question");
const heard = dialog.querySelector(".answer");
const yes = dialog.querySelector(".yes");
// Which question is on the screen: what comes late, of another, changes nothing of it.
let shown = 0;

const read = async (answer) => {
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  const detail = typeof found.detail === "string" ? found.detail : answer.statusText;
  throw new Error(answer.status === 403 ? "You may not do this" : detail);
};
const fill = (title, lines) => {
  const items = lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  });
  dialog.querySelector("h2").textContent = title;
  dialog.querySelector("ul").replaceChildren(...items);
};
const ask = async (button) => {
  const mine = ++shown;
  fill(button.textContent, []);
  heard.textContent = "Working out what it takes ...";
  yes.hidden = true;
  dialog.showModal();
  try {
    const question = await read(await fetch(dialog.dataset.root + button.dataset.ask));
    if (mine !== shown) return;
    fill(question.title, question.lines);
    heard.textContent = "";
    yes.textContent = button.textContent;
    yes.hidden = false;
    yes.onclick = () => act(question);
  } catch (error) {
    if (mine === shown) heard.textContent = error.message;
  }
};
const act = async (question) => {
  const mine = shown;
  yes.hidden = true;
  heard.textContent = "...";
  try {
    const done = await read(await fetch(question.address, { method: question.method }));
    if (mine === shown) dialog.close();
    await renew(document.querySelector("main"), `${window.location.pathname}?fresh=true`);
    if (done.said) document.querySelector("#said").textContent = done.said;
  } catch (error) {
    if (mine === shown) heard.textContent = error.message;
  }
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-ask]");
  if (button) ask(button);
});
dialog.querySelector(".no").addEventListener("click", () => dialog.close());
