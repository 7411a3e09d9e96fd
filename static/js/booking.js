// The dates of a stay: check-out follows check-in, so that an impossible pair cannot be chosen.
(() => {
  const checkIn = document.querySelector("[data-check-in]");
  const checkOut = document.querySelector("[data-check-out]");
  if (!checkIn || !checkOut) return;
  const follow = () => {
    if (!checkIn.value) return;
    const next = new Date(`${checkIn.value}T00:00:00Z`);
    next.setUTCDate(next.getUTCDate() + 1);
    checkOut.min = next.toISOString().slice(0, 10);
    if (!checkOut.value || checkOut.value < checkOut.min) checkOut.value = checkOut.min;
  };
  checkIn.addEventListener("change", follow);
  follow();
})();
