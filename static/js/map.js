// The map of the search page and of a profile. Without a tile address it draws a calm grid, so it is complete offline.
window.petplaceMap = (() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const grid = () => {
    const Layer = L.GridLayer.extend({
      createTile(coords) {
        const size = this.getTileSize();
        const tile = document.createElement("canvas");
        tile.width = size.x;
        tile.height = size.y;
        const pen = tile.getContext("2d");
        pen.strokeStyle = "rgba(110, 130, 130, 0.22)";
        for (let at = 0; at < size.x; at += 64) {
          pen.beginPath();
          pen.moveTo(at + 0.5, 0);
          pen.lineTo(at + 0.5, size.y);
          pen.moveTo(0, at + 0.5);
          pen.lineTo(size.x, at + 0.5);
          pen.stroke();
        }
        return tile;
      },
    });
    return new Layer();
  };

  const create = (box, { zoom = true } = {}) => {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const map = L.map(box, {
      scrollWheelZoom: false,
      zoomAnimation: !calm,
      fadeAnimation: !calm,
      markerZoomAnimation: !calm,
      zoomControl: zoom,
      attributionControl: Boolean(box.dataset.attribution),
      maxZoom: 17,
    });
    if (box.dataset.tiles) L.tileLayer(box.dataset.tiles, { attribution: box.dataset.attribution, maxZoom: 19 }).addTo(map);
    else grid().addTo(map);
    return map;
  };

  const circle = (lat, lng, meters, name = "map-circle") =>
    L.circle([lat, lng], { radius: meters, className: name, interactive: false });

  return { create, circle, css };
})();
