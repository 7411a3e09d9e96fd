// Search page: pins for the results, kept in step with the list. htmx swaps the page; the map itself stays.
(() => {
  let map = null;
  let layer = null;

  const popup = (place) => {
    const box = document.createElement("div");
    const link = document.createElement("a");
    link.className = "popup-title";
    link.href = place.href;
    link.textContent = place.name;
    const text = document.createElement("p");
    text.textContent = `${place.price}, ${place.text}`;
    box.append(link, text);
    if (place.free) {
      const free = document.createElement("p");
      free.textContent = place.free;
      box.append(free);
    }
    return box;
  };

  const icon = (place) => {
    const pin = document.createElement("div");
    pin.className = "map-pin";
    pin.textContent = place.price;
    return L.divIcon({ className: "", html: pin, iconSize: [0, 0] });
  };

  const draw = () => {
    const box = document.getElementById("map");
    const area = document.getElementById("search-area");
    const data = document.getElementById("search-markers");
    if (!box || !area || !data) return;
    if (map && map.getContainer() !== box) {
      map.remove();
      map = null;
    }
    if (!map) {
      map = petplaceMap.create(box);
      layer = L.layerGroup().addTo(map);
    }
    layer.clearLayers();
    const lat = Number(area.dataset.lat);
    const lng = Number(area.dataset.lng);
    petplaceMap.circle(lat, lng, Number(area.dataset.radius) * 1000, "map-circle map-area").addTo(layer);
    L.marker([lat, lng], {
      icon: L.divIcon({ className: "", html: '<div class="map-here"></div>', iconSize: [0, 0] }),
      interactive: false,
      keyboard: false,
    }).addTo(layer);
    const places = JSON.parse(data.textContent);
    for (const place of places) {
      const card = document.querySelector(`.provider-card[data-uid="${place.id}"]`);
      const marker = L.marker([place.lat, place.lng], {
        icon: icon(place),
        title: place.name,
        alt: `${place.name}, ${place.price}`,
        riseOnHover: true,
      });
      marker.bindPopup(popup(place)).addTo(layer);
      const light = (on) => () => {
        card?.classList.toggle("is-active", on);
        marker.getElement()?.querySelector(".map-pin")?.classList.toggle("is-active", on);
      };
      marker.on("mouseover", light(true)).on("mouseout", light(false));
      card?.addEventListener("mouseenter", light(true));
      card?.addEventListener("mouseleave", light(false));
    }
    map.invalidateSize();
    const here = L.latLng(lat, lng);
    const bounds = places.length
      ? L.latLngBounds(places.map((place) => [place.lat, place.lng])).extend(here)
      : here.toBounds(Number(area.dataset.radius) * 2000);
    map.fitBounds(bounds.pad(0.15), { maxZoom: 14, animate: false });
  };

  addEventListener("DOMContentLoaded", draw);
  document.addEventListener("htmx:afterSettle", draw);
  document.addEventListener("htmx:historyRestore", draw);
  // The button beside the place field has found the position: search there
  document.addEventListener("located", (event) => {
    if (event.target.closest("#search")) event.target.form.requestSubmit();
  });
})();
