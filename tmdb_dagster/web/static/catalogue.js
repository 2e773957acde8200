// The search as one types; without it the form does the same.
const form = document.getElementById("filters");
if (form) {
  let waiting;
  const show = async () => {
    const address = "/?" + new URLSearchParams(new FormData(form));
    const answer = await fetch(address);
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (address !== "/?" + new URLSearchParams(new FormData(form))) return;
    document.getElementById("movies").replaceWith(page.getElementById("movies"));
    history.replaceState(null, "", address);
  };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 200);
  });
}
