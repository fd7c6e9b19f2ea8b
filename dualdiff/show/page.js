// Step k of a trace with n rows: 0 nothing, 1 to n the rows forward, n + 1 to 2n their adjoints from the last row back.
"use strict";
(() => {
  const { rows, edges, directions, costs } = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const n = rows.length;
  let step = 0;
  let seed = 0;
  let printing = false;

  const make = (parent, tag, text = "", kind = "") => {
    const made = parent.appendChild(document.createElement(tag));
    made.textContent = text;
    made.className = kind;
    return made;
  };

  // ------------------------------------------------------------ the table, and the parts of the drawing
  const head = make(make(at("table"), "thead"), "tr");
  ["", "operation", "value", ...(directions.length ? ["tangent"] : []), "adjoint"].forEach((t) => make(head, "th", t));
  const body = make(at("table"), "tbody");
  const lines = rows.map((row) => {
    const tr = make(body, "tr");
    make(tr, "td", row.name);
    make(tr, "td", row.operation);
    return {
      tr,
      value: make(tr, "td", row.value, "v"),
      tangent: directions.length ? make(tr, "td", "", "t") : null,
      adjoint: make(tr, "td", row.adjoint, "a"),
    };
  });
  directions.forEach((name, k) => { make(at("seed"), "option", name).value = k; });
  at("seeds").hidden = directions.length < 2;
  at("slider").max = 2 * n;
  costs.forEach((text) => { make(at("costs"), "span", text); make(at("costs"), "br"); });
  const nodes = rows.map((_, k) => document.querySelector(`.node[data-row="${k}"]`));
  const paths = edges.map((_, k) => document.querySelector(`.edge[data-edge="${k}"]`));
  const code = document.querySelectorAll("#code .line");
  const labels = edges.map((_, k) => document.querySelector(`.label[data-edge="${k}"]`));

  const toggle = (element, kind, on) => element && element.classList.toggle(kind, on);

  const write = (label, text) => { // a label as wide as its text
    if (!label) return;
    const [rect, words] = label.children;
    words.textContent = text;
    const width = words.getComputedTextLength() + 8;
    rect.setAttribute("x", Number(words.getAttribute("x")) - width / 2);
    rect.setAttribute("width", width);
  };

  const say = (forward, row) => {
    if (step === 0) return "The graph of f. Step on, or press →: values and tangents go forward, then adjoints come back.";
    if (!forward) {
      const meet = row.sums.includes(" + ") ? "\nIts uses meet here, so their products are summed." : "";
      return `Back to ${row.name}: adjoint there × local derivative, over all uses\n${row.sums} = ${row.adjoint}${meet}`;
    }
    const along = directions.length ? `\nTangent ${directions[seed]}: ${row.pushes[seed]} = ${row.tangents[seed]}` : "";
    return `Forward: ${row.name} = ${row.operation} = ${row.value}${along}`;
  };

  const show = () => {
    const forward = step <= n;
    const now = printing || step === 0 ? -1 : forward ? step - 1 : 2 * n - step;
    const reached = (k) => printing || k < step;
    const returned = (k) => printing || 2 * n - k <= step;
    rows.forEach((row, k) => {
      const line = lines[k];
      toggle(line.tr, "now", k === now);
      toggle(line.value, "off", !reached(k));
      if (line.tangent) {
        line.tangent.textContent = row.tangents[seed];
        toggle(line.tangent, "off", !reached(k));
      }
      toggle(line.adjoint, "off", !returned(k));
      if (!nodes[k]) return;
      toggle(nodes[k], "now", k === now);
      toggle(nodes[k], "faint", !reached(k));
      toggle(nodes[k].querySelector(".v"), "off", !reached(k));
      toggle(nodes[k].querySelector(".a"), "off", !returned(k));
      const tangents = nodes[k].querySelectorAll(".t");
      tangents.forEach((t, d) => toggle(t, "off", !reached(k) || (tangents.length > 1 && d !== seed)));
      if (tangents.length === 1 && directions.length) tangents[0].textContent = `→ ${row.tangents[seed]}`;
    });
    code.forEach((line, k) => toggle(line, "now", now >= 0 && rows[now].line === k));
    edges.forEach((edge, k) => {
      const lit = now >= 0 && (forward ? edge.target === now : edge.source === now);
      toggle(paths[k], "now", lit);
      write(labels[k], !lit || !edge.local ? edge.local : forward && directions.length ? edge.tangents[seed] : forward ? edge.local : edge.adjoint);
    });
    at("graph").className = forward ? "forward" : "reverse";
    at("words").className = step === 0 ? "" : forward ? "forward" : "reverse";
    at("words").textContent = printing ? "" : say(forward, rows[Math.max(now, 0)]);
    at("step").textContent = `${step} of ${2 * n}`;
    at("slider").value = step;
    head.children[3].textContent = directions.length ? directions[seed] : head.children[3].textContent;
    at("seed").value = seed;
  };

  const go = (to) => {
    step = Math.min(Math.max(to, 0), 2 * n);
    show();
  };
  const choose = (k) => {
    seed = directions.length ? k % directions.length : 0;
    show();
  };

  at("back").onclick = () => go(step - 1);
  at("next").onclick = () => go(step + 1);
  at("slider").oninput = (event) => go(Number(event.target.value));
  at("seed").onchange = (event) => choose(Number(event.target.value));
  document.addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.altKey || event.metaKey) return;
    const to = { ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: 2 * n }[event.key];
    if (to !== undefined) {
      event.preventDefault(); // the slider would step once more
      go(to);
    } else if (event.key === "s") {
      choose(seed + 1);
    }
  });
  for (const [name, on] of [["beforeprint", true], ["afterprint", false]]) {
    window.addEventListener(name, () => { printing = on; show(); }); // on paper all of it
  }
  show();
})();
