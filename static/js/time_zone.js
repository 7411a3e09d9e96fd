// Fill in the browser's time zone where a form asks for it (sign-up).
for (const input of document.querySelectorAll("input[name='time_zone'][type='hidden']")) {
  input.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
}
