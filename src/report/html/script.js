"use strict";
// Brings the first difference of every box into view, without moving the page.
for (const first of document.querySelectorAll("[data-first]")) {
  const box = first.closest(".box");
  if (!box) continue;
  const at = first.getBoundingClientRect();
  const inside = box.getBoundingClientRect();
  box.scrollTop += at.top - inside.top - box.clientHeight / 2;
}
