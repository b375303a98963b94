"use strict";

// Language: ?lang=, then the last choice, then the browser's. Both are in the page; the style sheet shows one.

const stored = {
  get() { try { return localStorage.getItem("report-language"); } catch { return null; } },
  set(value) { try { localStorage.setItem("report-language", value); } catch { /* private window */ } },
};

const corpusName = document.title;

function show(language) {
  document.documentElement.lang = language;
  document.title = `${document.querySelector(`h1 [lang="${language}"]`).textContent} · ${corpusName}`;
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}

const wanted = new URLSearchParams(location.search).get("lang") ?? stored.get() ?? navigator.language;
show(wanted.toLowerCase().startsWith("zh") ? "zh-CN" : "en");

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    show(button.dataset.language);
    stored.set(button.dataset.language);
  });
}

// Samples: the playhead and the lit notes follow the sound.

for (const sample of document.querySelectorAll(".sample")) {
  const { duration_sec, left, right, highlights } = JSON.parse(sample.dataset.timing);
  const audio = sample.querySelector("audio");
  const roll = sample.querySelector(".time");
  const playhead = sample.querySelector(".playhead");
  let lit = [];

  function follow() {
    const now = audio.currentTime;
    const share = Math.min(now / duration_sec, 1);
    playhead.style.left = `${100 * (left + share * (right - left))}%`;
    for (const note of lit) note.classList.remove("lit");
    const current = highlights.find(([start, end]) => start <= now && now < end);
    lit = (audio.paused || !current ? [] : current[2]).map((id) => document.getElementById(id)).filter(Boolean);
    for (const note of lit) note.classList.add("lit");
    if (!audio.paused) requestAnimationFrame(follow);
  }

  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    sample.classList.add("heard");
    follow();
  });
  audio.addEventListener("pause", follow);
  audio.addEventListener("seeked", follow);

  roll.addEventListener("click", (event) => {
    const box = roll.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - left) / (right - left);
    audio.currentTime = Math.min(Math.max(share, 0), 1) * duration_sec;
    audio.play();
  });

  // The sound is in the page once already: the player's own data is what is saved.
  const download = sample.querySelector("[data-download]");
  download.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = audio.src;
    link.download = download.dataset.download;
    link.click();
  });
}
