// Each take's picture shows where its sound is; a click on the picture plays from there.
for (const take of document.querySelectorAll(".take")) {
  const audio = take.querySelector("audio");
  if (!audio) continue;
  const offset = Number(audio.dataset.offset);
  const pictures = [...take.querySelectorAll("svg.exchange")].map((svg) => ({
    svg,
    head: svg.querySelector(".head"),
    start: Number(svg.dataset.start),
    end: Number(svg.dataset.end),
    left: Number(svg.dataset.left),
    right: Number(svg.dataset.right),
  }));
  const move = () => {
    const t = audio.currentTime + offset;
    for (const p of pictures) {
      const x = p.left + ((t - p.start) / (p.end - p.start)) * (p.right - p.left);
      p.head.setAttribute("x1", x);
      p.head.setAttribute("x2", x);
      p.head.style.visibility = t >= p.start && t <= p.end ? "visible" : "hidden";
    }
    if (!audio.paused) requestAnimationFrame(move);
  };
  audio.addEventListener("play", move);
  audio.addEventListener("seeked", move);
  for (const p of pictures) {
    p.svg.addEventListener("click", (event) => {
      const box = p.svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * p.svg.viewBox.baseVal.width;
      const share = (x - p.left) / (p.right - p.left);
      if (share < 0 || share > 1) return;
      audio.currentTime = Math.max(0, p.start + share * (p.end - p.start) - offset);
      audio.play();
    });
  }
}
