// Turns the ticket of a user who has signed in into this browser's cookie for our own routes.

export default async function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".fk-root");
  if (root.dataset.ticket) return;
  root.dataset.ticket = "used";
  root.textContent = "Signing in…";
  const response = await fetch("/fk/ticket", {
    method: "POST", headers: { "X-Framekeep": "1", "X-Ticket": data.ticket },
  }).catch(() => null);
  if (response?.ok) location.reload();
  else root.textContent = "The sign-in did not work: reload the page.";
}
