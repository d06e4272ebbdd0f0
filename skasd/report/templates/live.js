"use strict";
// The page is whole without this; it takes in what has changed, and leaves what plays.
const PAUSE = 2000;
const isPlaying = (article) => [...article.querySelectorAll("audio")].some((player) => !player.paused);
async function get(path) {
  const response = await fetch(path + location.search, { cache: "no-store" });
  if (!response.ok) throw new Error(response.statusText);
  return response;
}
function renewOddWindows(fresh) {
  const list = document.getElementById("odd-windows");
  const wanted = new Map([...fresh.getElementById("odd-windows").children].map((each) => [each.id, each]));
  for (const old of [...list.children]) {
    const now = wanted.get(old.id);
    wanted.delete(old.id);
    if (isPlaying(old) || now?.dataset.version === old.dataset.version) continue;
    if (now) old.replaceWith(now);
    else old.remove();
  }
  list.prepend(...wanted.values());
  if (list.children.length) document.getElementById("none-odd")?.remove();
}
function renew(fresh) {
  renewOddWindows(fresh);
  for (const id of ["chart-section", "last-section"]) {
    document.getElementById(id).replaceWith(fresh.getElementById(id));
  }
  const old = document.getElementById("state"), now = fresh.getElementById("state");
  // A screen reader says what is new in a status, and nothing if it is new itself.
  const status = old.querySelector("[role=status]"), said = now.querySelector("[role=status]");
  if (status.textContent !== said.textContent) status.replaceChildren(...said.childNodes);
  status.className = said.className;
  now.removeChild(said);
  old.replaceChildren(status, ...now.childNodes);
  old.dataset.version = now.dataset.version;
}
async function look() {
  let isAnswered = true;
  try {
    const { version } = await (await get("state.json")).json();
    if (version !== document.getElementById("state").dataset.version) {
      renew(new DOMParser().parseFromString(await (await get("./")).text(), "text/html"));
    }
  } catch {
    isAnswered = false;
  }
  document.getElementById("unreachable").hidden = isAnswered;
  setTimeout(look, PAUSE);
}
setTimeout(look, PAUSE);
