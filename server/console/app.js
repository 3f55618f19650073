// Signs in with the cookie that the server sets, and says what came of it.
const form = document.getElementById("sign-in");
const outcome = document.getElementById("outcome");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  outcome.textContent = "";
  const answer = await fetch("/api/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(Object.fromEntries(new FormData(form))),
  });
  const document_ = await answer.json();
  outcome.textContent = answer.ok ? "Signed in." : document_.title;
  form.hidden = answer.ok;
});
