// The sandbox's pay page: a typed test number chooses its card. The number stays here: its field has no name, so it is
// in no request, and it is emptied before the form is sent.
(() => {
  "use strict";

  // Published test numbers; no real card has one of them.
  const TOKENS = {
    "4242424242424242": "tok_visa",
    "4000000000000002": "tok_declined",
    "4000000000009995": "tok_insufficient_funds",
    "4000002760003184": "tok_3ds",
    "4000000000000259": "tok_disputed",
  };

  const form = document.querySelector("[data-sandbox-pay]");
  if (!form) return;
  const line = form.querySelector("[data-sandbox-number]");
  const field = line.querySelector("input");
  line.hidden = false;

  const check = () => {
    const digits = field.value.replace(/\D/g, "");
    const token = TOKENS[digits];
    if (token) form.querySelector(`input[value="${token}"]`).checked = true;
    field.setCustomValidity(!digits || token ? "" : "This is no test card. Take 4242 4242 4242 4242, or choose one below.");
  };

  field.addEventListener("input", check);
  form.addEventListener("change", (event) => {
    if (event.target.name === "token") {
      field.value = "";
      check();
    }
  });
  form.addEventListener("submit", () => {
    field.value = "";
  });
})();
