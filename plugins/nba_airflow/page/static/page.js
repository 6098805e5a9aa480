// Follows the theme of the UI that frames the page; the page works without it.
"use strict";
const dark = () => {
  try {
    const root = window.parent.document.documentElement;
    return root.classList.contains("dark") || root.dataset.theme === "dark";
  } catch {
    return false;
  }
};
if (window.parent !== window) {
  document.documentElement.dataset.theme = dark() ? "dark" : "light";
}
// Arrow keys go from date to date.
document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const days = [...document.querySelectorAll(".days a")];
  const at = days.indexOf(document.activeElement);
  if (step && at >= 0 && days[at + step]) {
    days[at + step].focus();
    event.preventDefault();
  }
});
// The frame may not lead its parent elsewhere; a link of the parent's own may.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[target=_top]");
  if (!link || window.parent === window || !/^https?:$/.test(link.protocol)) return;
  event.preventDefault();
  const there = window.parent.document.createElement("a");
  there.href = link.href;
  window.parent.document.body.append(there);
  there.click();
  there.remove();
});
