// The form of a service: the deposit's percent is asked for only when a deposit is.
(() => {
  const policy = document.getElementById("id_payment_policy");
  const deposit = document.getElementById("div_id_deposit_percent");
  if (!policy || !deposit) return;
  const show = () => {
    deposit.hidden = policy.value !== "deposit";
  };
  policy.addEventListener("change", show);
  show();
})();
