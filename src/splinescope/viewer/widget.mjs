/* The page in a frame of a notebook; which cells are chosen goes both ways. */

function render({ model, el }) {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts allow-downloads");
  Object.assign(frame.style, { width: "100%", height: `${model.get("height")}px`, border: "1px solid #ccc" });
  frame.srcdoc = model.get("page");
  const send = () => frame.contentWindow?.postMessage({ splinescope: { select: model.get("selected_cells") } }, "*");
  const heard = (event) => {
    const told = event.source === frame.contentWindow && event.data?.splinescope;
    if (!told) return;
    if (told.ready) return send();
    if (!Array.isArray(told.selected)) return;
    model.set("selected_cells", told.selected);
    model.save_changes();
  };
  window.addEventListener("message", heard);
  model.on("change:selected_cells", send);
  el.append(frame);
  return () => {
    window.removeEventListener("message", heard);
    model.off("change:selected_cells", send);
  };
}

export default { render };
