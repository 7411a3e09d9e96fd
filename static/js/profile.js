// Profile: the circle in which the place lies. The exact point never leaves the server.
addEventListener("DOMContentLoaded", () => {
  const box = document.getElementById("profile-map");
  const data = document.getElementById("profile-places");
  if (!box || !data) return;
  const places = JSON.parse(data.textContent);
  if (!places.length) return;
  const map = petplaceMap.create(box);
  const group = L.featureGroup(places.map((place) => petplaceMap.circle(place.lat, place.lng, Number(box.dataset.circle))));
  const center = [places[0].lat, places[0].lng];
  map.setView(center, 13);
  group.addTo(map);
  map.fitBounds(group.getBounds().pad(0.4), { maxZoom: 14, animate: false });
});
