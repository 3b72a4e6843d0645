// Keys for people who review many: c, f, u give the verdict, j and k go on and back.
document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input, textarea, select, [contenteditable]");
  if (field || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const target = { j: "#next", k: "#previous" }[event.key] || `button[data-key="${CSS.escape(event.key)}"]`;
  const found = document.querySelector(target);
  if (found) {
    event.preventDefault();
    found.click();
  }
});
