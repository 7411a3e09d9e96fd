// The map of a place's form: the pin sets the point, the town's name moves it, the browser may say where we are.
(() => {
  const box = document.getElementById("point-map");
  if (!box || !window.L) return;
  const latitude = document.getElementById("id_latitude");
  const longitude = document.getElementById("id_longitude");
  const place = document.getElementById("id_place");
  const options = document.getElementById("place-suggestions");
  const status = document.getElementById("map-status");
  const has = () => latitude.value !== "" && longitude.value !== "";

  const map = L.map(box, { scrollWheelZoom: false, worldCopyJump: true });
  if (box.dataset.tiles) {
    L.tileLayer(box.dataset.tiles, { attribution: box.dataset.attribution, maxZoom: 19 }).addTo(map);
  } else {
    status.textContent = "There is no map picture on this site; the pin still sets the point.";
  }
  map.setView(has() ? [latitude.value, longitude.value] : [30, 15], has() ? 14 : 2);
  const pin = L.marker(map.getCenter(), {
    draggable: true,
    keyboard: true,
    alt: "Your place",
    icon: L.divIcon({ className: "", html: '<div class="map-pin">Here</div>' }),
  });
  if (has()) pin.addTo(map);

  const set = (point, zoom) => {
    const at = L.latLng(point).wrap();
    latitude.value = at.lat.toFixed(6);
    longitude.value = at.lng.toFixed(6);
    pin.setLatLng(at).addTo(map);
    map.setView(at, zoom ?? Math.max(map.getZoom(), 13));
  };
  map.on("click", (event) => set(event.latlng));
  pin.on("dragend", () => set(pin.getLatLng()));
  for (const input of [latitude, longitude]) {
    input.addEventListener("change", () => has() && set([latitude.value, longitude.value]));
  }

  // The town's name: suggestions while typing, the point when one is chosen
  let found = new Map();
  let timer = 0;
  const ask = async () => {
    const text = place.value.trim();
    if (text.length < 2) return;
    const answer = await fetch(`${box.dataset.places}?${new URLSearchParams({ q: text })}`);
    if (!answer.ok) return;
    const { places } = await answer.json();
    found = new Map(places.map((one) => [one.label, one]));
    options.replaceChildren(...places.map((one) => Object.assign(document.createElement("option"), { value: one.label })));
    if (found.has(place.value)) choose(place.value);
  };
  const choose = (label) => {
    const one = found.get(label);
    set([one.latitude, one.longitude], 12);
    status.textContent = `The map shows ${label}. Drag the pin to the exact spot.`;
  };
  place.addEventListener("input", () => {
    if (found.has(place.value)) return choose(place.value);
    clearTimeout(timer);
    timer = setTimeout(ask, 200);
  });
  place.addEventListener("change", () => {
    if (!has() && found.size && !found.has(place.value)) choose(found.keys().next().value);
  });

  const here = document.getElementById("use-location");
  here.hidden = !navigator.geolocation;
  here.addEventListener("click", () => {
    status.textContent = "Asking your browser where you are …";
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        set([coords.latitude, coords.longitude], 15);
        status.textContent = "The pin stands where you are now.";
      },
      () => {
        status.textContent = "Your browser did not say where you are. Name the town, or press on the map.";
      },
      { timeout: 8000 },
    );
  });
})();
