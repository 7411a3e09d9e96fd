// The chart of the finance page. It shows what the table below says, so readers and machines without it miss nothing.
(() => {
  "use strict";

  const canvas = document.querySelector("[data-finance-chart]");
  if (!canvas || typeof window.Chart !== "function") return;
  const { labels, currency, bars, line } = JSON.parse(canvas.dataset.financeChart);
  const money = new Intl.NumberFormat("en-US", { style: "currency", currency, maximumFractionDigits: 0 });

  // The tokens are light-dark() pairs: only an element knows which of the two counts.
  const colorOf = (selector) => getComputedStyle(document.querySelector(selector)).color;
  const colors = () => ({
    series: [0, 1, 2].map((number) => colorOf(`[data-swatch="${number}"]`)),
    text: getComputedStyle(canvas.parentElement).color,
    grid: getComputedStyle(canvas.parentElement).borderTopColor,
  });

  const now = colors();
  window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  window.Chart.defaults.font.size = 13;
  const chart = new window.Chart(canvas, {
    data: {
      labels: labels.map((label) => (labels.length === 12 ? label.slice(0, 3) : label)),
      datasets: [
        { type: "line", label: line.name, data: line.values, borderColor: now.series[2], backgroundColor: now.series[2], borderWidth: 2.5, pointRadius: 3 },
        ...bars.map((bar, index) => ({ type: "bar", label: bar.name, data: bar.values, backgroundColor: now.series[index], borderRadius: 6, maxBarThickness: 34 })),
      ],
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: { display: false },
        tooltip: { callbacks: { label: (item) => ` ${item.dataset.label}: ${new Intl.NumberFormat("en-US", { style: "currency", currency }).format(item.raw)}` } },
      },
      scales: {
        x: { grid: { display: false }, ticks: { color: now.text, maxRotation: 0, autoSkipPadding: 8 }, border: { color: now.grid } },
        y: { beginAtZero: true, grid: { color: now.grid }, ticks: { color: now.text, maxTicksLimit: 6, callback: (value) => money.format(value) }, border: { display: false } },
      },
    },
  });

  const repaint = () => {
    const fresh = colors();
    const [profit, ...rest] = chart.data.datasets;
    profit.borderColor = profit.backgroundColor = fresh.series[2];
    rest.forEach((bar, index) => (bar.backgroundColor = fresh.series[index]));
    for (const scale of [chart.options.scales.x, chart.options.scales.y]) {
      scale.ticks.color = fresh.text;
      scale.grid.color = fresh.grid;
    }
    chart.update("none");
  };
  new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
})();
