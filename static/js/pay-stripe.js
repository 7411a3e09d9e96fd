// Stripe's Payment Element on the pay page. The card is typed into Stripe's own frame.
(() => {
  "use strict";

  const form = document.querySelector("[data-pay-stripe]");
  if (!form) return;
  const button = form.querySelector("[data-pay-button]");
  const problem = form.querySelector("[data-pay-error]");

  const show = (text) => {
    problem.textContent = text;
    problem.hidden = !text;
  };

  if (typeof window.Stripe !== "function") {
    show("The card form could not be loaded. Please check your connection, or a blocker, and load the page again.");
    return;
  }

  const isDark = document.documentElement.dataset.bsTheme === "dark";
  const stripe = window.Stripe(form.dataset.publishableKey);
  const elements = stripe.elements({
    clientSecret: form.dataset.clientSecret,
    appearance: { theme: isDark ? "night" : "stripe" },
  });
  const element = elements.create("payment");
  element.on("ready", () => {
    button.disabled = false;
  });
  element.on("loaderror", () => show("The card form could not be loaded. Please load the page again."));
  element.mount(form.querySelector("[data-pay-element]"));

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    show("");
    // Success leaves the page for return_url; only an error comes back here.
    const { error } = await stripe.confirmPayment({ elements, confirmParams: { return_url: form.dataset.returnUrl } });
    if (error) {
      show(error.message || "The payment did not work. Please try again or use another card.");
      button.disabled = false;
    }
  });
})();
